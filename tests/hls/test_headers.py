import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from m3vit.hls.csim import compile_project
from m3vit.hls.headers import TEMPLATES, ap_types, compiler
from m3vit.hls.project import generate
from m3vit.hw.errors import PackageError, ToolError
from tests.hls.layers import random_layer


def test_headers_and_sources_are_there() -> None:
    assert (ap_types() / "ap_int.h").is_file() and (ap_types() / "hls_stream.h").is_file()
    names = {file.name for file in TEMPLATES.iterdir()}
    blocks = ("requantise", "gelu", "gate", "topk", "queues", "expert", "combine", "moe", "mlp")
    assert {f"{block}.h" for block in (*blocks, "layernorm")} <= names


def test_what_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="hls4ml is not installed"):
        ap_types()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match=r"g\+\+ is not on the path"):
        compiler()


def test_what_the_compiler_refuses_is_one_line(tmp_path: Path) -> None:
    layer = random_layer()
    project = generate(layer, tmp_path / "p")
    (project / "moe.h").write_text("this is no C++;\n")
    with pytest.raises(ToolError, match=r"g\+\+ refused block1.moe: .*error"):
        compile_project(replace(layer), project)
    with pytest.raises(PackageError, match="no HLS project"):
        compile_project(layer, tmp_path)


def test_every_template_names_itself_in_its_guard() -> None:
    for file in TEMPLATES.glob("*.h"):
        guard = f"M3VIT_{file.stem.upper()}_H_"
        text = file.read_text()
        assert f"#ifndef {guard}\n#define {guard}\n" in text, file.name
        assert text.startswith("// ") and len(text.splitlines()) <= 300
