"""Progress goes to standard error, and only when it is worth it."""

import pytest

from m3vit.host import progress


def test_short_work_is_silent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    patient = progress.Patient(2.0)
    patient("too early")
    now[0] = 101.9
    patient("still too early")
    now[0] = 102.0
    patient("now")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "now\n")


def test_step_says_what_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("counting"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "counting ..." and lines[1].startswith("  done in ")


def test_failed_step_does_not_claim_to_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), progress.step("counting"):
        raise ValueError
    assert capsys.readouterr().err == "counting ...\n"


def test_many_small_steps_speak_seldom(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    seldom = progress.Seldom(2.0)
    for tenth in range(51):
        now[0] = 100.0 + 0.1 * tenth
        seldom(f"{tenth}")
    assert capsys.readouterr().err in ("20\n40\n", "20\n41\n")
