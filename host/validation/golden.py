"""What a device's integers are compared with: the definition, or the reference that executes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from m3vit.host.devices.reference import ReferenceDevice
from m3vit.hw.errors import PackageError
from m3vit.hw.evaluate import evaluate, evaluate_head
from m3vit.hw.formats import Int16, UInt8
from m3vit.hw.golden.embedding import patches
from m3vit.hw.package import Package
from m3vit.hw.quantised import QuantisedModel
from m3vit.hw.routing import RoutingPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """The integers of one image and task."""

    result: Int16
    """[T, d]."""
    plans: Mapping[int, RoutingPlan]
    """By block."""
    logits: Int16 | None = None
    """[channels, h, w] of the task's head; None where they would be this host's own work."""


class Golden(Protocol):
    """Where expected integers come from."""

    @property
    def name(self) -> str:
        """For people."""

    def expected(self, image: UInt8, task: int) -> Expected:
        """Integers of ``image``, uint8 of the model's size, for task number ``task``."""


class Definition:
    """The evaluation layer by layer: neither compiler nor package takes part.

    Raises:
        PackageError: the package was compiled from another network.
    """

    name = "the evaluation layer by layer"

    def __init__(self, model: QuantisedModel, package: Package) -> None:
        if model.config.digest != package.config.digest:
            raise PackageError(
                f"package {package.path} holds {package.config.name}, the quantised model is "
                f"{model.config.name} of another configuration; give the file it was compiled from"
            )
        self._model = model

    def expected(self, image: UInt8, task: int) -> Expected:
        """See ``Golden.expected``."""
        found = evaluate(self._model, image, task)
        logits = evaluate_head(self._model, found.result, task)
        return Expected(result=found.result, plans=found.plans, logits=logits)


class Reference:
    """The package's own commands on a fresh integer reference."""

    name = "the integer reference"

    def __init__(self, package: Package) -> None:
        self._package = package
        self._device = ReferenceDevice(package.machine)
        self._device.load(package)

    def expected(self, image: UInt8, task: int) -> Expected:
        """See ``Golden.expected``."""
        tiles = patches(image, self._package.config.patch)
        run = self._device.run(self._package, tiles, task)
        return Expected(result=run.result, plans=run.plans)


class Sample:
    """The image that the compiler wrote into the package, evaluated layer by layer at that time.

    Raises:
        PackageError: the record is incomplete.
    """

    name = "recorded sample"

    def __init__(self, package: Package) -> None:
        self._config = package.config
        self._arrays = package.golden()
        self.image: UInt8 = self._arrays["image"]

    def expected(self, image: UInt8, task: int) -> Expected:
        """See ``Golden.expected``; ``image`` is the recorded one."""
        arrays, name = self._arrays, self._config.task_names[task]
        plans = {
            block: RoutingPlan.from_choices(
                arrays[f"{name}.{block}.experts"],
                arrays[f"{name}.{block}.weights"],
                experts=self._config.experts,
            )
            for block in self._config.moe_blocks
        }
        return Expected(
            result=arrays[f"{name}.result"], plans=plans, logits=arrays[f"{name}.logits"]
        )
