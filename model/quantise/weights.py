"""Weights of a float network as float64 arrays by key, finite or refused."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from m3vit.hw.errors import QuantisationError
from m3vit.hw.formats import Float64


@dataclass(frozen=True)
class Weights:
    """A state dict in float64; every array is finite."""

    arrays: Mapping[str, Float64]

    def __getitem__(self, key: str) -> Float64:
        """The tensor called ``key``.

        Raises:
            QuantisationError: there is none.
        """
        if key not in self.arrays:
            raise QuantisationError(f"the network has no tensor {key!r}; load a full checkpoint")
        return self.arrays[key]

    def linear(self, prefix: str) -> tuple[Float64, Float64]:
        """Weight and bias under ``prefix``."""
        return self[f"{prefix}.weight"], self[f"{prefix}.bias"]


def read_weights(state: Mapping[str, Tensor]) -> Weights:
    """Copy ``state`` to float64.

    Raises:
        QuantisationError: a tensor holds a value that is not finite; the message names it.
    """
    arrays = {key: value.detach().cpu().double().numpy() for key, value in state.items()}
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            wrong = int(np.count_nonzero(~np.isfinite(array)))
            raise QuantisationError(
                f"weight {key} holds {wrong} values that are not finite, expected finite "
                "numbers; train or load it again"
            )
    return Weights(arrays)
