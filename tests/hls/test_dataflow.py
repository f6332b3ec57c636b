import subprocess
from pathlib import Path

import pytest

from m3vit.hls.headers import TEMPLATES, compiler

PROGRAM = """
#include "dataflow.h"
#include <cstdlib>

static void produce(m3vit::Channel<int, 4> &values, m3vit::Channel<int, 1> &ends, int count) {
    for (int n = 0; n < count; n++)
        values.write(n);
    ends.write(0);
}

static void consume(m3vit::Channel<int, 4> &values, m3vit::Channel<int, 1> &ends, int count) {
    ends.read(); // waits for the end before it takes a value: needs room for all of them
    for (int n = 0; n < count; n++)
        values.read();
}

int main(int, char **arguments) {
    const int count = std::atoi(arguments[1]);
    m3vit::Channel<int, 4> values("values");
    m3vit::Channel<int, 1> ends("ends");
    M3VIT_REGION;
    M3VIT_PROCESS(produce(values, ends, count));
    M3VIT_PROCESS(consume(values, ends, count));
}
"""


def test_bounded_channels_stop_where_hardware_would(tmp_path: Path) -> None:
    source, program = tmp_path / "main.cpp", tmp_path / "main"
    source.write_text(PROGRAM)
    flags = ["-std=c++14", "-pthread", "-DM3VIT_BOUNDED", "-DM3VIT_PATIENCE_S=1"]
    subprocess.run(
        [compiler(), *flags, "-I", str(TEMPLATES), str(source), "-o", str(program)], check=True
    )
    fits = subprocess.run([str(program), "4"], capture_output=True, text=True, timeout=20)
    assert (fits.returncode, fits.stderr) == (0, "")
    full = subprocess.run([str(program), "5"], capture_output=True, text=True, timeout=20)
    assert full.returncode == 3 and "deadlock" in full.stderr
    assert "values of depth 4 stays full" in full.stderr or "ends of depth 1" in full.stderr


@pytest.mark.parametrize("name", ["moe.h", "expert.h", "queues.h", "topk.h"])
def test_no_state_is_left_between_calls(name: str) -> None:
    assert "static" not in (TEMPLATES / name).read_text().replace("static const", "")
