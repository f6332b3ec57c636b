"""Every kernel compiles to machine code of an H100 and fits its shared memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

H100_SHARED_BYTES = 227 * 1024
KERNELS = {
    "gate._kernel", "sort._count", "sort._prefix", "sort._place", "sort._prefix_and_place",
    "grouped._kernel", "combine._kernel", "gate8._kernel", "grouped8._kernel", "combine8._kernel",
    "norm8._kernel", "attention8._kernel",
}  # fmt: skip


@pytest.mark.slow
def test_every_kernel_compiles_for_an_h100(tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.model.kernels.compiling"],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["kernel"] for each in made} == KERNELS
    assert max(each["shared"] for each in made) <= H100_SHARED_BYTES
