"""Number formats and the constant tables of the datapath: widths, limits, units.

Everything here is part of the contract (hw/CONTRACT.md); nothing else states a width.
"""

import math

import numpy as np
from numpy.typing import NDArray

Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
UInt16 = NDArray[np.uint16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WEIGHT_LIMIT = 127
"""Weights, K and V stay in [-127, 127]: eight products of 128 x 127 fit the packed low field."""

ACCUMULATOR_LIMIT = 1 << 26
"""Accumulators are 27-bit; every bound and every sum stays strictly below this magnitude."""

RESIDUAL_BITS = 18
RESIDUAL_GUARD_BITS = 2
"""Fraction bits that the residual store has beyond the int16 that LayerNorm reads."""

RESIDUAL_FRACTION_BITS = 9
"""Largest fraction width of the int16 view; calibration may choose fewer."""

FACTOR_BITS = 16
SHIFT_LIMIT = 40

SCORE_BITS = 10
SCORE_UNIT = math.log(2) / 16
SCORE_SHIFT_LIMIT = 15
EXPONENTIAL_TOP = 65024
"""254 x 256: the table's value is already the chain's 8.8 fixed-point increment."""

CHAINS = 32
"""Error-feedback chains of a softmax row: key index modulo this."""

PROBABILITY_OFFSET = 128

LAYERNORM_FRACTION_BITS = 10
LAYERNORM_EPSILON = 1e-6
TABLE_INDEX_BITS = 10
"""Mantissa bits that index the reciprocal and the reciprocal-root table."""

GATE_LOW_BITS = 7
GATE_UNIT = math.log(2) / 64
GATE_DIFFERENCE_LIMIT = (1 << 26) - 1
GATE_DELTA_LIMIT = 1023

GELU_CLASSES = 2


def _round(values: Float64) -> Float64:
    rounded: Float64 = np.floor(values + 0.5)
    return rounded


def exponential_table() -> Int32:
    """EXP[i] = round(65024 * 2^(-i/16)), 16 entries."""
    return _round(EXPONENTIAL_TOP * 2.0 ** (-np.arange(16) / 16)).astype(np.int32)


def gate_exponential_table() -> Int32:
    """GEXP[i] = round(65535 * 2^(-i/64)), 64 entries."""
    return _round(65535 * 2.0 ** (-np.arange(64) / 64)).astype(np.int32)


def reciprocal_table() -> Int32:
    """RECIP[i] = min(65535, round(2^16 / (1 + (i + 0.5)/1024))), 1024 entries."""
    middle = 1 + (np.arange(1 << TABLE_INDEX_BITS) + 0.5) / (1 << TABLE_INDEX_BITS)
    return np.minimum(65535, _round(65536 / middle)).astype(np.int32)


def reciprocal_root_table() -> Int32:
    """RSQRT[p * 1024 + i] = min(65535, round(2^16 / sqrt((1 + (i+0.5)/1024) * 2^p)))."""
    middle = 1 + (np.arange(1 << TABLE_INDEX_BITS) + 0.5) / (1 << TABLE_INDEX_BITS)
    both = np.concatenate([middle, 2 * middle])
    return np.minimum(65535, _round(65536 / np.sqrt(both))).astype(np.int32)
