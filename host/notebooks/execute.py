"""Notebooks run headless: outputs into a copy, its pictures as files."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

from m3vit.host.notebooks.convert import notebook_of, source_of
from m3vit.hw.errors import ToolError
from m3vit.hw.files import write_bytes, write_text

SECONDS = 1800
"""Most that one cell may take; a simulated device is slow."""


def execute(name: str, folder: Path, progress: Callable[[str], object]) -> list[Path]:
    """Run the notebook called ``name``; write NAME.ipynb with outputs, and its pictures as PNG.

    Raises:
        ConfigurationError: there is no such notebook.
        ToolError: a cell failed; the message says which error.
        WriteError: the file system refused.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    plain = json.dumps(notebook_of(source_of(name).read_text()))
    notebook = nbformat.reads(plain, as_version=4)
    progress(f"{name}: {len(notebook.cells)} cells")
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3")
    client.create_kernel_manager().transport = "ipc"  # nobody else on this computer can join
    try:
        client.execute()
    except CellExecutionError as error:
        raise ToolError(
            f"notebook {name} failed: {error.ename}: {' '.join(error.evalue.split())[:400]}"
        ) from error
    except (DeadKernelError, TimeoutError) as error:
        raise ToolError(f"notebook {name}: {' '.join(str(error).split())[:200]}") from error
    written = [write_text(folder / f"{name}.ipynb", nbformat.writes(notebook) + "\n")]
    for number, data in enumerate(_pictures(notebook)):
        written.append(write_bytes(folder / f"{name}.{number}.png", data))
    return written


def _pictures(notebook: object) -> list[bytes]:
    cells = notebook.cells  # type: ignore[attr-defined]
    outputs = [out for cell in cells for out in cell.get("outputs", ())]
    found = [out.data["image/png"] for out in outputs if "image/png" in out.get("data", {})]
    return [base64.b64decode(text) for text in found]
