"""Other verbs by name: what passes between parts of the project is files and printed JSON."""

import contextlib
import io

from m3vit.host.cli import main


class VerbFailedError(Exception):
    """A verb has already said in one line what is wrong."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def call_verb(verb: str, *arguments: object, debug: bool = False) -> str:
    """What ``m3vit VERB ARGUMENTS...`` prints.

    Raises:
        VerbFailedError: it failed, and has said why on standard error.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main([*(["--debug"] if debug else []), verb, *map(str, arguments)])
    if code:
        raise VerbFailedError(code)
    return printed.getvalue()
