import json
import shutil
import subprocess
from pathlib import Path

import pytest

from m3vit.host.cli import main
from m3vit.hw.error_codes import SENTENCES, ErrorCode
from m3vit.hw.machine import machine_preset
from m3vit.hw.register_output import as_c, as_json, as_text
from m3vit.hw.registers import BY_NAME, REGISTERS

ZCU104 = machine_preset("zcu104")


def test_every_error_has_a_sentence() -> None:
    assert set(SENTENCES) == set(ErrorCode)
    assert all(text and "\n" not in text and not text.endswith(".") for text in SENTENCES.values())


def test_text_names_every_register_field_and_error() -> None:
    text = as_text(ZCU104)
    assert "by machine" not in text
    assert "by machine" in as_text()
    for register in REGISTERS:
        assert f"{register.offset:#06x}" in text
        assert all(field.name in text for field in register.fields)
    assert all(sentence in text for sentence in SENTENCES.values())


def test_json_holds_the_table() -> None:
    values = json.loads(as_json(ZCU104))
    by_name = {entry["name"]: entry for entry in values["registers"]}
    assert set(by_name) == set(BY_NAME)
    assert values["constants"]["window_unit"] == 64
    assert by_name["STATUS"]["reset"] == 1
    assert by_name["CONTROL"]["fields"][0]["access"] == "wo"
    assert by_name["RING_BYTES"]["reset"] == ZCU104.ring_bytes
    assert {entry["code"] for entry in values["errors"]} == set(map(int, ErrorCode))


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_header_compiles_and_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "registers.h").write_text(as_c(ZCU104))
    checks = [f'static_assert(M3VIT_{r.name} == {r.offset}u, "");' for r in REGISTERS]
    checks.append(f'static_assert(M3VIT_IS_RING_BYTES == {ZCU104.ring_bytes}u, "");')
    checks.append('static_assert(M3VIT_MAGIC_VALUE == 0x4d335674u, "");')
    checks.append('static_assert(M3VIT_SPACE_BYTES == 4096 && M3VIT_WINDOW_UNIT == 64, "");')
    checks.append('static_assert(M3VIT_CONTRACT_VERSION == M3VIT_IS_CONTRACT, "");')
    checks.append('static_assert(M3VIT_ERROR_START_WHILE_BUSY == 17, "");')
    checks.append('static_assert(M3VIT_STATUS_END_STATUS_MASK == 0xff00u, "");')
    source = tmp_path / "check.cpp"
    source.write_text('#include "registers.h"\n' + "\n".join(checks) + "\n")
    command = ["g++", "-std=c++11", "-Wall", "-Werror", "-fsyntax-only", str(source)]
    subprocess.run(command, check=True, cwd=tmp_path)


def test_the_verb_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registers", "--json", "--machine", "mini"]) == 0
    assert json.loads(capsys.readouterr().out)["registers"][0]["name"] == "MAGIC"
    path = tmp_path / "registers.h"
    assert main(["registers", "--format", "c", "--out", str(path)]) == 0
    assert path.read_text() == as_c()
    assert main(["registers", "--machine", "none"]) == 2
