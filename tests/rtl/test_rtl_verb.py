"""The verb: what it writes, and which files it says that it read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TINY = {
    "name": "speck",
    "groups": 1,
    "rows": 8,
    "columns": 16,
    "accumulator_pairs": 8,
    "normal_block_pairs": 8,
    "score_words": 64,
    "ring_bytes": 4096,
    "requantise_lanes": 32,
    "exponential_lanes": 16,
    "layernorm_lanes": 8,
    "max_tokens": 32,
    "max_width": 64,
    "max_experts": 4,
    "max_top_k": 2,
}


@pytest.mark.slow
def test_simulation_has_models_and_a_probe(tmp_path: Path) -> None:
    machine, out = tmp_path / "speck.json", tmp_path / "speck.v"
    machine.write_text(json.dumps(TINY))
    command = [sys.executable, "-W", "ignore", "-m", "m3vit.host.cli", "rtl", "--json"]
    command += ["--machine", str(machine), "--out", str(out), "--simulation"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record, text = json.loads(done.stdout), out.read_text()
    assert record["bytes"] == len(text)
    assert "output [183:0] probe" in text and "GroupModel<8, 16>" in text
    names = set(record["sources"])
    assert names >= {"rtl/top.py", "rtl/group_model.cpp", "rtl/dsp48e2.v", "hw/registers.py"}
    assert not any(name.startswith("hw/compiler") for name in names), "what it does not read"
