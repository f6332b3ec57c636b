"""Where the headers come from: our templates, and the ap_types that hls4ml ships."""

import importlib.util
import shutil
from pathlib import Path

from m3vit.hw.errors import ToolError

TEMPLATES = Path(__file__).parent / "templates"


def ap_types() -> Path:
    """The folder with ap_int.h and hls_stream.h.

    Raises:
        ToolError: hls4ml is not installed.
    """
    spec = importlib.util.find_spec("hls4ml")
    folder = None
    if spec is not None and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"
    if folder is None or not folder.is_dir():
        raise ToolError("hls4ml is not installed, its ap_types headers are needed; `make install`")
    return folder


def compiler() -> str:
    """The C++ compiler.

    Raises:
        ToolError: g++ is not on the path.
    """
    found = shutil.which("g++")
    if found is None:
        raise ToolError("g++ is not on the path, C simulation needs it; install g++")
    return found
