"""Percent-format sources to notebooks: the committed .ipynb are what the sources give."""

import json

import nbformat
import pytest

from m3vit.host.notebooks.convert import HERE, NAMES, cells_of, notebook_of, source_of
from m3vit.hw.errors import ConfigurationError

TEXT = '''"""# Title

Words.
"""

# %%
import os

print(os.sep)  # %% is no cell here

# %% [markdown]
# ## Next
# more words
#
# and an end

# %%
os.sep
'''


def test_cells_in_order() -> None:
    assert list(cells_of(TEXT)) == [
        ("markdown", "# Title\n\nWords."),
        ("code", "import os\n\nprint(os.sep)  # %% is no cell here"),
        ("markdown", "## Next\nmore words\n\nand an end"),
        ("code", "os.sep"),
    ]


def test_the_notebook_is_valid_and_without_outputs() -> None:
    notebook = notebook_of(TEXT)
    nbformat.validate(nbformat.reads(json.dumps(notebook), as_version=4))
    assert notebook == notebook_of(TEXT)
    assert [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"] == [
        [],
        [],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_notebook_is_that_of_its_source(name: str) -> None:
    found = json.loads((HERE / f"{name}.ipynb").read_text())
    assert found == notebook_of(source_of(name).read_text()), "run `m3vit notebooks --write`"


def test_every_notebook_is_listed() -> None:
    assert {path.stem for path in HERE.glob("*.ipynb")} == set(NAMES)


def test_the_device_is_named_in_one_place() -> None:
    for name in NAMES:
        code = "\n".join(
            text for kind, text in cells_of(source_of(name).read_text()) if kind == "code"
        )
        assert "package, device = start()" in code
        assert not any(f'"{device}"' in code for device in ("reference", "rtl", "pynq"))


def test_an_unknown_notebook_is_named() -> None:
    with pytest.raises(ConfigurationError, match="unknown notebook 'x'; notebooks are quick_look"):
        source_of("x")
