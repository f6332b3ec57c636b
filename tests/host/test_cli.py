"""The command line: every verb is there, none needs what another needs."""

import subprocess
import sys

import pytest

from m3vit.host.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"usage: m3vit {verb}" in capsys.readouterr().out


def test_usage_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in VERBS)
    assert main([]) == 2


def test_help_of_every_verb_needs_neither_torch_nor_pillow() -> None:
    """A board has neither; only the verb that computes imports them."""
    code = (
        "import sys\n"
        "for name in ('torch', 'PIL', 'matplotlib', 'scipy', 'numba', 'amaranth', 'pynq'):\n"
        "    sys.modules[name] = None\n"
        "from m3vit.host.cli import VERBS, main\n"
        "for verb in VERBS:\n"
        "    try:\n"
        "        main([verb, '--help'])\n"
        "    except SystemExit as stop:\n"
        "        assert stop.code == 0, verb\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_missing_package_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "m3vit.model.benchmark", raising=False)
    assert main(["bench"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "'torch' is not installed" in line


def test_interruption_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("m3vit.host.doctor.examine", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "m3vit doctor: interrupted\n"


def test_our_own_faults_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("m3vit.host.doctor.examine", wrong)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m m3vit.host.cli disasm --reference | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "" and done.stdout.startswith("header")
