"""What a run tells: one JSON object a line in a file, and one line on the terminal."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from m3vit.hw.files import write_text


class TrainLog:
    """Appends to ``path``; resuming at ``step`` first drops the lines that come after it."""

    def __init__(self, path: Path, step: int, quiet: bool = False) -> None:
        self.path = path
        self.quiet = quiet
        self._began = time.monotonic()
        self._first = step
        kept = []
        if step and path.exists():
            lines = path.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= step]
        write_text(path, "".join(f"{line}\n" for line in kept))

    def write(self, entry: dict[str, Any], steps: int, images: int) -> None:
        """Record ``entry`` (with key ``step``) and show it; ``images`` were seen a step."""
        seconds = time.monotonic() - self._began
        done = entry["step"] - self._first
        speed = {"seconds": round(seconds, 1), "images_per_s": round(done * images / seconds, 1)}
        with self.path.open("a") as stream:
            stream.write(json.dumps(entry | speed) + "\n")
        if not self.quiet:
            left = seconds / max(1, done) * (steps - entry["step"])
            losses = " ".join(f"{k} {v:.3f}" for k, v in entry["losses"].items())
            print(
                f"step {entry['step']}/{steps} {losses} balance {entry['balance']:.2f} "
                f"indecision {entry['indecision']:.2f} "
                f"{speed['images_per_s']:.0f} images/s, {left / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )
