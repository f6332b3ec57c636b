"""The doctor names what is absent and what that disables, and never fails."""

import json
import sys
from pathlib import Path

import pytest

from m3vit.host import doctor
from m3vit.host.cli import main


def test_names_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("numpy", "pillow", "torch"):
        assert found[name]["version"]
    for name in ("vivado", "vitis_hls", "pynq", "verilator", "yosys", "g++", "CUDA GPU"):
        assert found[name]["needed_for"]


def test_text_says_what_an_absence_disables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    absent = text[text.index("\nabsent\n") :]
    assert "vivado" in absent and "disables: bitstreams" in absent
    assert "g++" in absent and "numpy" not in absent


def _program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_versions_come_from_the_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    _program(tmp_path, "vivado", 'echo "vivado v2024.1 (64-bit)"')
    _program(tmp_path, "yosys", 'echo "Yosys 0.40 (git)"')
    _program(tmp_path, "nvidia-smi", 'echo "Big GPU"')
    found = {finding.name: finding.version for finding in doctor.examine()}
    assert found["vivado"] == "2024.1" and found["yosys"] == "0.40"
    assert found["CUDA GPU"] == "Big GPU"


def test_a_program_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(doctor, "_SECONDS", 0.2)
    _program(tmp_path, "vivado", "exec sleep 5")
    found = {finding.name: finding.version for finding in doctor.examine()}
    assert found["vivado"] == "present, but it does not answer"


def test_a_broken_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    _program(tmp_path, "nvidia-smi", "echo failed; exit 9")
    found = {finding.name: finding.version for finding in doctor.examine()}
    assert found["CUDA GPU"] is None
