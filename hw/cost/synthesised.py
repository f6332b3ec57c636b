"""LUT and FF of the blocks of the RTL, as synthesised for one machine and scaled to others.

The table holds the whole ZCU104 machine as open synthesis mapped it (rtl/size.json, by Yosys,
``synth_xilinx -family xcup``), each block with the quantity that its structure grows with.  Other
shapes are scaled from there: some +-30 %.  Nothing was placed or routed.
"""

from collections.abc import Callable
from typing import NamedTuple

from m3vit.hw.cost.stores import HEAD_DIM_LIMIT, gate_rows
from m3vit.hw.machine import MachineConfig, machine_preset

Quantity = Callable[[MachineConfig], int]

REFERENCE = machine_preset("zcu104")
"""The machine that was synthesised."""

LUTRAM_WORDS = 64
"""Words of a memory in LUTs (RAM64M8); a deeper one is several side by side."""

RECIPROCAL_ROWS = 12
"""A reciprocal and its product take the LUTs of a tree over twelve codes (rowfactor)."""


def _one(machine: MachineConfig) -> int:
    return 1


def _panel(machine: MachineConfig) -> int:
    return machine.panel


def _cascades(machine: MachineConfig) -> int:
    return machine.panel * machine.chains


def _operands(machine: MachineConfig) -> int:
    return machine.groups * machine.rows


def _word(machine: MachineConfig) -> int:
    return machine.word_bytes


def _keys(machine: MachineConfig) -> int:
    return machine.groups * max(machine.rows, machine.columns)


def _row_sums(machine: MachineConfig) -> int:
    return machine.groups * (machine.rows + RECIPROCAL_ROWS)


def requantise_lanes(machine: MachineConfig) -> int:
    """Lanes of a DSP and a shifter: the results', LayerNorm's, and two of a row of the gate."""
    return 2 * machine.panel + machine.layernorm_lanes + 2 * gate_rows(machine)


def _layernorm_lanes(machine: MachineConfig) -> int:
    return machine.layernorm_lanes


def _ports(machine: MachineConfig) -> int:
    return machine.memory_ports


def _gate_ranks(machine: MachineConfig) -> int:
    return gate_rows(machine) * machine.max_top_k


def _gate_logits(machine: MachineConfig) -> int:
    return gate_rows(machine) * machine.panel


def _choices(machine: MachineConfig) -> int:
    return machine.max_experts * machine.max_top_k


def _pairs(machine: MachineConfig) -> int:
    return 1 << (machine.accumulator_pairs - 1).bit_length()


def _two_passes(machine: MachineConfig) -> int:
    return 2 * _pairs(machine)


def _queries(machine: MachineConfig) -> int:
    return 2 * _pairs(machine) * (HEAD_DIM_LIMIT // machine.rows)


def _channels(machine: MachineConfig) -> int:
    return 2 << (machine.max_width // machine.layernorm_lanes).bit_length()


def _tokens_waiting(machine: MachineConfig) -> int:
    return 4 << (machine.max_width // 16 - 1).bit_length()


def _logits(machine: MachineConfig) -> int:
    return 2 << (machine.max_experts - 1).bit_length()


class Block(NamedTuple):
    """A block of rtl/size.json, all its copies together, on ``REFERENCE``.

    ``lut`` and ``ff`` grow with ``by``; ``lutram``, the LUTs of memories, with ``words`` as well.
    """

    name: str
    unit: str
    lut: int
    ff: int
    by: Quantity
    lutram: int = 0
    words: Quantity = _one

    def scales(self, machine: MachineConfig) -> tuple[float, float]:
        """Factors of logic and of memory against ``REFERENCE``."""
        logic = self.by(machine) / self.by(REFERENCE)
        deep, was = (-(-self.words(each) // LUTRAM_WORDS) for each in (machine, REFERENCE))
        return logic, logic * deep / was

    def cells(self, machine: MachineConfig) -> tuple[float, float]:
        """LUT and FF on ``machine``."""
        logic, memory = self.scales(machine)
        return self.lut * logic + self.lutram * memory, self.ff * logic


BLOCKS = (
    Block("column", "array", 5280, 5568, _cascades),
    Block("group", "array", 1152, 2163, _operands),
    Block("accumulator", "accumulators", 2592, 8445, _panel, 2976, _pairs),
    Block("array", "pass control and pipeline", 6490, 8983, _panel),
    Block("issue", "pass control and pipeline", 139, 174, _one),
    Block("engine", "pass control and pipeline", 300, 367, _one),
    Block("core", "pass control and pipeline", 192, 78, _one),
    Block("operand", "operands", 2898, 3704, _operands),
    Block("query", "query block", 2238, 1615, _operands, 7316, _queries),
    Block("parameters", "panel parameters", 2626, 2832, _panel),
    Block("requantise", "requantisation", 20066, 18756, requantise_lanes),
    Block("gelu", "GELU", 816, 432, _panel),
    Block("scores", "scores and maxima", 7902, 10329, _panel),
    Block("rowmax", "scores and maxima", 1782, 2142, _panel, 315, _two_passes),
    Block("score_store", "scores and maxima", 9, 3852, _keys),
    Block("softmax", "softmax", 12096, 9756, _operands, 1779, _pairs),
    Block("rowfactor", "softmax", 2190, 2976, _row_sums, 474, _pairs),
    Block("value_sums", "softmax", 2832, 3319, _panel),
    Block("layernorm", "LayerNorm", 3407, 4096, _layernorm_lanes, 2732, _channels),
    Block("layernorm_lane", "LayerNorm", 4272, 3632, _layernorm_lanes),
    Block("norm_server", "LayerNorm", 460, 362, _one, 1344, _tokens_waiting),
    Block("xn_writer", "LayerNorm", 1414, 772, _one),
    Block("results", "results, retirement", 1894, 1901, _panel, 4304, _two_passes),
    Block("retire", "results, retirement", 4083, 92, _panel),
    Block("hidden_write", "results, retirement", 1174, 427, _panel),
    Block("weigh", "weighted residuals", 1710, 2424, _one),
    Block("residual", "weighted residuals", 1186, 1228, _one),
    Block("residual_write", "weighted residuals", 148, 732, _one),
    Block("residual_store", "residual store", 5132, 3186, _one),
    Block("activations", "XN and QOH", 1190, 5166, _one),
    Block("key_value", "K and V", 72, 3300, _word),
    Block("ring", "weight ring, loader", 3796, 3747, _word),
    Block("loader", "weight ring, loader", 1746, 6248, _word),
    Block("tables", "weight ring, loader", 1591, 1588, _word),
    Block("gate_bank", "gate", 453, 1025, _panel),
    Block("gate_exponential", "gate", 516, 680, gate_rows),
    Block("gate_results", "gate", 2, 1549, _panel),
    Block("gate_row", "gate", 3468, 4160, _gate_ranks),
    Block("gate_slot", "gate", 3550, 4150, _gate_logits, 1296, _logits),
    Block("plan", "plan and queues", 1586, 2516, _choices),
    Block("lists", "plan and queues", 373, 199, _one),
    Block("token_order", "plan and queues", 416, 174, _one),
    Block("expert_run", "plan and queues", 273, 261, _one),
    Block("axi_read", "memory ports, fetch", 584, 484, _ports),
    Block("axi_write", "memory ports, fetch", 140, 93, _one),
    Block("fifo", "memory ports, fetch", 1265, 2136, _ports),
    Block("slices", "memory ports, fetch", 652, 2151, _ports),
    Block("fetch", "memory ports, fetch", 969, 500, _one),
    Block("region_size", "memory ports, fetch", 260, 201, _one),
    Block("dma", "DMA", 286, 118, _one),
    Block("dma_in", "DMA", 1112, 1411, _one),
    Block("dma_out", "DMA", 1275, 803, _one),
    Block("dma_plan", "DMA", 503, 288, _one),
    Block("checks", "commands, sequencer", 1699, 1446, _one),
    Block("command_list", "commands, sequencer", 22, 150, _one),
    Block("sequencer", "commands, sequencer", 548, 332, _one),
    Block("attention_nest", "commands, sequencer", 423, 307, _one),
    Block("gemm_nest", "commands, sequencer", 512, 629, _one),
    Block("progress", "commands, sequencer", 56, 87, _one),
    Block("machine", "control, registers", 244, 47, _one),
    Block("run_control", "control, registers", 51, 32, _one),
    Block("registers", "control, registers", 1884, 967, _one),
    Block("counters", "control, registers", 57, 1529, _one),
    Block("top", "control, registers", 33, 8, _one),
)
"""Every block, by unit; compared with rtl/size.json by tests/hw/cost/test_synthesised.py."""
