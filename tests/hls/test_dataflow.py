import subprocess
from pathlib import Path

import pytest

from m3vit.hls.headers import TEMPLATES, compiler

PROGRAM = """
#include "dataflow.h"
#include <cstdlib>

typedef m3vit::Channel<int, 4> Values;
typedef m3vit::Channel<int, 1> Ends;

static void produce(Values &values, Ends &ends, int count, int pause_ms) {
    for (int n = 0; n < count; n++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
        values.write(n);
    }
    ends.write(0);
}

static void consume(Values &values, int count) {
    for (int n = 0; n < count; n++)
        values.read();
}

static void wait_for_end(Ends &ends) { ends.read(); }

static void end_first(Values &values, Ends &ends, int count) {
    wait_for_end(ends); // takes no value before the end: needs room for all of them
    consume(values, count);
}

int main(int, char **arguments) {
    const int count = std::atoi(arguments[2]);
    Values values("values");
    Ends ends("ends");
    M3VIT_REGION;
    if (arguments[1][0] == 'e') {
        M3VIT_PROCESS(produce(values, ends, count, 0));
        M3VIT_PROCESS(end_first(values, ends, count));
    } else {
        M3VIT_PROCESS(produce(values, ends, count, 500));
        M3VIT_PROCESS(consume(values, count));
        M3VIT_PROCESS(wait_for_end(ends)); // longer than the patience, but something moves
    }
}
"""


def run(program: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def test_bounded_channels_stop_where_hardware_would(tmp_path: Path) -> None:
    source, program = tmp_path / "main.cpp", tmp_path / "main"
    source.write_text(PROGRAM)
    flags = ["-std=c++14", "-pthread", "-DM3VIT_BOUNDED", "-DM3VIT_PATIENCE_S=1"]
    subprocess.run(
        [compiler(), *flags, "-I", str(TEMPLATES), str(source), "-o", str(program)], check=True
    )
    assert run(program, "end-first", "4") == (0, "")
    code, said = run(program, "end-first", "5")
    assert code == 3 and "deadlock" in said
    assert "values of depth 4 stays full" in said or "ends of depth 1 stays empty" in said
    assert run(program, "slow", "5") == (0, "")


@pytest.mark.parametrize("name", ["moe.h", "expert.h", "queues.h", "topk.h"])
def test_no_state_is_left_between_calls(name: str) -> None:
    assert "static" not in (TEMPLATES / name).read_text().replace("static const", "")
