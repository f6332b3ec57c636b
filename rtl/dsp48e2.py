"""The DSP48E2 primitive in the modes that the machine uses, as an Amaranth instance.

Open synthesis infers the multiplier but not cascades, pre-adder and B1/B2, so all DSPs are
instantiated.  ``dsp48e2.v`` is the behavioural model for simulation.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Value

from m3vit.hw.errors import ConfigurationError

A_BITS, B_BITS, C_BITS, D_BITS = 30, 18, 48, 27
MULTIPLIER_BITS = 27
"""Width of the A side of the multiplier."""

PRE_ADD = 0b00100
"""INMODE: multiply (D + A) x B2."""

W_ZERO, W_P, W_RND, W_C = (select << 7 for select in range(4))
Z_ZERO, Z_PCIN, Z_P, Z_C = (select << 4 for select in range(4))
PRODUCT = 0b0101
"""OPMODE is the sum of one W, one Z and this."""

_CONTROLS = {"ALUMODE": 4, "CARRYIN": 1, "CARRYINSEL": 3, "CARRYCASCIN": 1, "MULTSIGNIN": 1}
_OPERANDS = {"A": A_BITS, "B": B_BITS, "C": C_BITS, "D": D_BITS}
_CASCADES = {"ACIN": A_BITS, "BCIN": B_BITS, "PCIN": C_BITS}
_ENABLES = tuple("A1 A2 AD ALUMODE B1 B2 C CARRYIN CTRL D INMODE M P".split())
_RESETS = tuple("A ALLCARRYIN ALUMODE B C CTRL D INMODE M P".split())
_PARAMETERS: Mapping[str, Any] = MappingProxyType(
    {
        **dict.fromkeys(("ALUMODEREG", "CARRYINREG", "CARRYINSELREG"), 0),
        **dict.fromkeys(("INMODEREG", "OPMODEREG"), 0),
        **dict.fromkeys(("AREG", "ACASCREG", "BREG", "BCASCREG", "CREG", "DREG", "ADREG"), 1),
        **dict.fromkeys(("MREG", "PREG"), 1),
    }
)


def dsp48e2(
    *,
    opmode: int,
    inmode: int = 0,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    outputs: Mapping[str, Value] = MappingProxyType({}),
    **inputs: Value,
) -> Instance:
    """An instance; inputs that are not given are zero, clock enables one (CEA1, CEB1 zero).

    Args:
        opmode: W, Z and PRODUCT selections; control registers are off, so it is a constant.
        inmode: 0 or PRE_ADD.
        parameters: generics beside the defaults (all data registers once).
        outputs: signals by output port.
        inputs: values by input port; narrower operands must be extended by the caller.

    Raises:
        ConfigurationError: a port is unknown or has the wrong width.
    """
    widths = {**_OPERANDS, **_CASCADES, **{f"CE{name}": 1 for name in _ENABLES}}
    for name, value in inputs.items():
        if widths.get(name) != len(value):
            raise ConfigurationError(
                f"DSP48E2 input {name} has {len(value)} bits, expected {widths.get(name)}"
            )
    ports = {name: Const(0, width) for name, width in {**_OPERANDS, **_CASCADES}.items()}
    ports |= {name: Const(0, width) for name, width in _CONTROLS.items()}
    ports |= {f"CE{name}": Const(name not in ("A1", "B1"), 1) for name in _ENABLES}
    ports |= {f"RST{name}": Const(0, 1) for name in _RESETS}
    ports |= {"INMODE": Const(inmode, 5), "OPMODE": Const(opmode, 9), "CLK": ClockSignal()}
    return Instance(
        "DSP48E2",
        **{f"p_{name}": value for name, value in {**_PARAMETERS, **parameters}.items()},
        **{f"i_{name}": value for name, value in {**ports, **inputs}.items()},
        **{f"o_{name}": value for name, value in outputs.items()},
    )


def extended(value: Value, width: int) -> Value:
    """``value`` (signed) sign-extended to ``width`` bits as a plain bit vector."""
    return Cat(value, value[-1].replicate(width - len(value)))
