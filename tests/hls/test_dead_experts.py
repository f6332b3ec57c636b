"""Nothing of an expert that no token chose is read: its pages are forbidden."""

import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from m3vit.hls.csim import FLAGS
from m3vit.hls.headers import ap_types, compiler
from m3vit.hls.layer import Parallelism
from m3vit.hls.project import MEMORY, generate
from m3vit.hls.reference import expected
from tests.hls.layers import fixed_gate, random_layer, random_residual, with_gate

pytestmark = pytest.mark.slow


def test_only_live_experts_are_read(tmp_path: Path) -> None:
    layer = random_layer(width=96, experts=4, top_k=2)
    layer = with_gate(layer, fixed_gate(layer, np.array([0, 9, 0, 8], np.int32) << 22))
    # words of eight bytes lie in C++ as they lie in memory
    project = generate(layer, tmp_path / "p", Parallelism(word_bytes=8, lanes=2))
    program, bench = tmp_path / "bench", Path(__file__).with_name("dead_experts.cpp")
    includes = ["-I", str(ap_types()), "-I", str(project)]
    sources = ["-include", str(project / "top_moe.cpp"), str(bench)]
    subprocess.run([compiler(), *FLAGS, *includes, *sources, "-o", str(program)], check=True)
    image, at = random_residual(layer, 0), layer.addresses
    (tmp_path / "in").write_bytes(image.tobytes())

    def run(*forbidden: int) -> int:
        ranges = [
            str(at.experts + (e + end) * at.expert_stride) for e in forbidden for end in (0, 1)
        ]
        files = [project / MEMORY, tmp_path / "in", tmp_path / "out"]
        return subprocess.run([program, *files, *ranges], timeout=60, check=False).returncode

    assert run(0, 2) == 0
    got = np.fromfile(tmp_path / "out", np.int32).reshape(image.shape)
    assert np.array_equal(got, expected(layer, image, 0)["out"])
    assert run(0, 1) == -signal.SIGSEGV
    assert run(3) == -signal.SIGSEGV
