"""Which Verilog is taken from the cache: one whose every source is as it was."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import m3vit.rtl.top
from m3vit.hw.machine import machine_preset
from m3vit.sim.rtl import verilog
from m3vit.sim.rtl.verilog import simulation_verilog

MACHINE = machine_preset("mini")


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def generate(machine: object, home: Path) -> Path:
        return home / "new.v"

    monkeypatch.setattr(verilog, "_generate", generate)
    source = Path(str(m3vit.rtl.top.__file__)).read_bytes()
    sources = {"rtl/top.py": hashlib.sha256(source).hexdigest()}
    return {"verilog": "old.v", "machine": MACHINE.to_dict(), "sources": sources}


def found(home: Path, record: dict[str, Any], text: bool = True) -> str:
    (home / "mini-1.json").write_text(json.dumps(record))
    if text:
        (home / "old.v").write_text("module m3vit; endmodule")
    return simulation_verilog(MACHINE, home).name


def test_unchanged_sources_are_used_again(tmp_path: Path, record: dict[str, Any]) -> None:
    assert found(tmp_path, record) == "old.v"


@pytest.mark.parametrize(
    "change",
    [
        {"sources": {"rtl/top.py": "0" * 64}},
        {"sources": {"rtl/absent.py": "0" * 64}},
        {"machine": replace(MACHINE, max_experts=8).to_dict()},
        {"machine": None},
    ],
)
def test_anything_else_is_made_anew(
    tmp_path: Path, record: dict[str, Any], change: dict[str, Any]
) -> None:
    assert found(tmp_path, record | change) == "new.v"


def test_a_lost_text_or_record_is_made_anew(tmp_path: Path, record: dict[str, Any]) -> None:
    assert found(tmp_path, record, text=False) == "new.v"
    (tmp_path / "mini-1.json").write_text("{")
    assert simulation_verilog(MACHINE, tmp_path).name == "new.v"
