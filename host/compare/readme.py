"""A generated part of a document, between two markers."""

from pathlib import Path

from m3vit.host.compare.reading import CompareError
from m3vit.hw.files import write_text

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def replaced(path: Path, part: str) -> tuple[str, str]:
    """The document at ``path``, as it is and with ``part`` between the markers.

    Raises:
        CompareError: it cannot be read, or does not hold each marker once, in order.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise CompareError(f"cannot read {path}: {error.strerror}") from error
    start, stop = text.find(BEGIN), text.find(END)
    if not 0 <= start < stop or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise CompareError(f"{path} needs the lines {BEGIN} and {END} once each, in this order")
    return text, f"{text[: start + len(BEGIN)]}\n{part}{text[stop:]}"


def update(path: Path, part: str) -> Path:
    """Write ``part`` between the markers; same errors."""
    return write_text(path, replaced(path, part)[1])


def check(path: Path, part: str, command: str) -> None:
    """Nothing, if the document already holds ``part``.

    Raises:
        CompareError: it is stale; or as :func:`replaced`.
    """
    found, expected = replaced(path, part)
    if found != expected:
        lines = zip(found.splitlines(), expected.splitlines(), strict=False)
        number = next((n for n, (a, b) in enumerate(lines, 1) if a != b), len(found.splitlines()))
        raise CompareError(f"{path} is stale from line {number} on; run `{command}` and commit it")
