from pathlib import Path

import pytest

from m3vit.hls.readme import README
from tests.support.packages import compiled


@pytest.mark.slow
def test_the_worked_example_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(tmp_path / "build" / "demo" / "package")
    monkeypatch.chdir(tmp_path)
    _, _, rest = README.read_text().partition("```python\n")
    source, _, _ = rest.partition("```")
    assert "np.array_equal(predicted" in source
    exec(compile(source, str(README), "exec"), {})
