"""One decorator for compiled functions, with a cache that no change of source can make stale.

numba looks only at the file of the outermost function when it decides whether its cache is fresh;
an edited callee in another file would go unnoticed.  The cache folder here carries a digest of all
sources beside this file and beside the function.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


@cache
def _cache_folder(folder: Path) -> str:
    here = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted({*here.glob("*.py"), *folder.glob("*.py")}):
        digest.update(path.read_bytes())
    return str(here / "__pycache__" / f"numba-{digest.hexdigest()[:16]}")


def jit(function: _Function) -> _Function:
    """Compile ``function`` to machine code at its first call and keep the result on disk.

    Memory management is off: compiled functions only touch arrays that Python made for them.
    They run without Python's lock, so that threads simulate channels side by side.
    """
    return _compile(function, forceinline=False)


def inlined(function: _Function) -> _Function:
    """As ``jit``, for the hot path: a real call would copy the channel's arrays."""
    return _compile(function, forceinline=True)


def _compile(function: _Function, *, forceinline: bool) -> _Function:
    config: Any = numba.config
    njit: Any = numba.njit
    previous = config.CACHE_DIR
    config.CACHE_DIR = _cache_folder(Path(inspect.getfile(function)).parent)
    try:
        compiled = njit(
            cache=True, error_model="numpy", nogil=True, _nrt=False, forceinline=forceinline
        )(function)
        return cast(_Function, compiled)
    finally:
        config.CACHE_DIR = previous
