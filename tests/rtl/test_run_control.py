"""A run's states against a model, under random starts, soft resets, ends, errors and waits."""

import random
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from m3vit.hw.error_codes import ErrorCode
from m3vit.rtl.run_control import RESET_CYCLES, RunControl
from tests.rtl.bench.player import start
from tests.rtl.bench.runner import run_bench

INPUTS = ("start", "soft_reset", "finished", "failed", "its_error", "its_index", "index", "quiet")
CYCLES = 10_000


@dataclass
class Model:
    """What the registers show after each cycle."""

    state: str = "IDLE"
    wait: int = 0
    done: bool = False
    error: int = 0
    error_index: int = 0
    runs: int = 0

    def _fail(self, code: int, index: int) -> None:
        if not self.error:
            self.error, self.error_index = code, index
        if self.state != "IDLE":
            self.state = "STOP"

    def _interrupt(self, i: dict[str, int]) -> None:
        if i["soft_reset"]:
            self.state = "STOP"
        elif i["start"]:
            self._fail(ErrorCode.START_WHILE_BUSY, i["index"])

    def step(self, i: dict[str, int]) -> None:
        """One clock edge."""
        state, was_quiet = self.state, i["quiet"]
        if state == "IDLE" and i["start"] and not i["soft_reset"]:
            self.state, self.wait, self.done = "RESET", 0, False
            self.error = self.error_index = 0
            self.runs += 1
        elif state == "RESET":
            self.wait += 1
            if self.wait == RESET_CYCLES:
                self.state = "RUN"
            self._interrupt(i)
        elif state == "RUN":
            if i["finished"]:
                self.done, self.state = True, "STOP"
            if i["failed"]:
                self._fail(i["its_error"], i["its_index"])
            else:
                self._interrupt(i)
        elif state == "STOP":
            if i["start"] and not i["soft_reset"]:
                self._fail(ErrorCode.START_WHILE_BUSY, i["index"])
            if was_quiet:
                self.state = "IDLE"
        if i["soft_reset"]:
            self.error = self.error_index = 0

    def shown(self) -> dict[str, int]:
        return {
            "busy": int(self.state != "IDLE"),
            "draining": int(self.state == "STOP"),
            "hold": int(self.state in ("IDLE", "STOP")),
            "done": int(self.done),
            "stopped": int(self.error != 0),
            "error": self.error,
            "error_index": self.error_index,
        }


def stimulus(rng: random.Random) -> dict[str, int]:
    rare = {"start": 0.02, "soft_reset": 0.004, "finished": 0.01, "failed": 0.01, "quiet": 0.2}
    values = {name: int(rng.random() < chance) for name, chance in rare.items()}
    values["its_error"], values["its_index"] = rng.randrange(1, 17), rng.randrange(513)
    return values | {"index": rng.randrange(512)}


@cocotb.test()
async def states_follow_the_model(dut: Any) -> None:
    for name in INPUTS:
        getattr(dut, name).value = 0
    await start(dut)
    rng, model, begun = random.Random(40), Model(), 0
    for cycle in range(CYCLES):
        values = stimulus(rng)
        if model.state == "RESET" and rng.random() < 0.9:
            values |= {"start": 0, "soft_reset": 0}  # else no reset would ever last
        for name, value in values.items():
            getattr(dut, name).value = value
        await ReadOnly()
        seen = {name: int(getattr(dut, name).value) for name in model.shown()}
        assert seen == model.shown(), f"cycle {cycle}, {model}"
        if model.state == "RUN":
            assert not int(dut.reset.value)
        if model.state == "RESET" and model.wait < RESET_CYCLES - 1:
            assert int(dut.reset.value) or not model.wait
        begun += int(dut.begin.value)
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        model.step(values)
    assert model.runs > 25 and begun > 10


def test_run_control() -> None:
    run_bench(RunControl(), __name__, ("states_follow_the_model",))
