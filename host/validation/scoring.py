"""Predictions as files for ``m3vit score``, which knows the metrics: they live with the model."""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3vit.host.call import VerbFailedError, call_verb
from m3vit.host.outputs import write_together
from m3vit.host.run_images import predictions_archive
from m3vit.host.truth import read_truth
from m3vit.host.validation.checks import Seen
from m3vit.hw.config import ModelConfig
from m3vit.hw.errors import DatasetError

Scores = dict[str, dict[str, Any]]


@dataclass
class Scoring:
    """Collects the predictions of images that have ground truth."""

    config: ModelConfig
    folder: Path
    """Empty; predictions are written here."""
    keep: Path | None = None
    """Where predictions of all images are written as well."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Ground truth that could not be read, by image."""
    _truth: Path | None = None

    def add(self, seen: Seen) -> None:
        """Write the predictions of one image.

        Raises:
            WriteError: the file system refused.
        """
        if seen.item is None or seen.image is None or not seen.predictions:
            return
        files = {f"{seen.item.image.stem}.predictions.npz": predictions_archive(seen.predictions)}
        if self.keep is not None:
            write_together(self.keep, files)
        if seen.item.truth is None:
            return
        try:
            height, width, _ = seen.image.shape
            read_truth(seen.item.truth, self.config, (height, width))
        except DatasetError as error:
            self.unreadable[seen.name] = str(error)
            return
        write_together(self.folder, files)
        self._truth = seen.item.truth.parent

    def scores(self) -> tuple[Scores, str]:
        """Each task's metric over all images, or why there is none."""
        if self._truth is None:
            return {}, "no image has ground truth (NAME.npz beside it, or --truth)"
        absent = [name for name in ("m3vit.model", "torch", "scipy") if not _installed(name)]
        if absent:
            return {}, f"metrics need {', '.join(absent)}: score the files of --out elsewhere"
        try:
            return json.loads(call_verb("score", self.folder, self._truth, "--json")), ""
        except VerbFailedError:
            return {}, "m3vit score failed, see above"


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
