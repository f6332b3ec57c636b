"""NORM, GEMM, ATTN, GATE and EXPERTS: the golden operators on what the commands address."""

import numpy as np

from m3vit.hw.commands.fields import Flag, Post, Store
from m3vit.hw.commands.word import Command
from m3vit.hw.errors import CommandError
from m3vit.hw.executor.state import State
from m3vit.hw.executor.steps import Source, Step
from m3vit.hw.formats import WEIGHT_LIMIT, Int8
from m3vit.hw.golden.attention import attend
from m3vit.hw.golden.expert import add_dense, add_experts
from m3vit.hw.golden.gate import route
from m3vit.hw.golden.layernorm import layer_norm, residual_view
from m3vit.hw.golden.linear import linear8, linear18
from m3vit.hw.golden.residual import add
from m3vit.hw.layout.panels import head_columns, natural_columns, unpack
from m3vit.hw.layout.sizes import linear_bytes, panel_bytes
from m3vit.hw.layout.tables import join_gate, unpack_gelu, unpack_layernorm
from m3vit.hw.quantised import Expert, Gate, Linear, Mlp
from m3vit.hw.routing import RoutingPlan


def bind_norm(command: Command, source: Source) -> Step:
    """LayerNorm: RES to XN."""
    data = source.bytes_at(command["table"])
    norm = unpack_layernorm(data, command["width"], command["shift"], command["epsilon"])

    def step(state: State) -> None:
        state.normalised = layer_norm(residual_view(state.residual[: command.tokens]), norm)

    return step


def _needed(value: Int8 | None, name: str) -> Int8:
    if value is None:
        raise CommandError(f"{name} is read before a command has written it")
    return value


def _part(value: Int8 | None, name: str, tokens: int, channels: int) -> Int8:
    """The first ``tokens`` x ``channels`` of a store."""
    held = _needed(value, name)
    if held.shape[0] < tokens or held.shape[1] < channels:
        raise CommandError(
            f"{name} holds {held.shape[0]} tokens x {held.shape[1]} channels, the command reads "
            f"{tokens} x {channels}"
        )
    return held[:tokens, :channels]


def _operand(command: Command, state: State) -> Int8:
    """[tokens, inner] activations of the store that a GEMM reads."""
    store = state.normalised if command.src is Store.XN else state.hidden
    return _part(store, command.src.name, command.tokens, command["inner"])


def bind_gemm(command: Command, source: Source) -> Step:
    """A linear layer into the residual, the hidden store, or Q, K and V."""
    if command["post"] == Post.QKV:
        return _bind_qkv(command, source)
    columns = natural_columns(source.machine, command["outputs"])
    data = source.bytes_at(command["weights"])
    layer, _ = unpack(data, command["inner"], columns, source.machine, command["shift"])
    bind = _into_residual if command["post"] == Post.RESIDUAL else _into_hidden
    return bind(command, layer)


def _into_residual(command: Command, layer: Linear) -> Step:
    tokens = slice(command["first_token"], command["first_token"] + command.tokens)
    channels = slice(command["dst_channel"], command["dst_channel"] + command["outputs"])

    def step(state: State) -> None:
        contribution = linear18(_operand(command, state), layer)
        total, saturated = add(state.residual[tokens, channels], contribution)
        state.residual[tokens, channels] = total
        state.saturations += saturated

    return step


def _into_hidden(command: Command, layer: Linear) -> Step:
    def step(state: State) -> None:
        _write_hidden(state, command["dst_channel"], linear8(_operand(command, state), layer))

    return step


def _write_hidden(state: State, channel: int, values: Int8) -> None:
    end = channel + values.shape[1]
    if state.hidden is None or state.hidden.shape[1] < end:
        wider = np.zeros((state.tokens, max(end, state.residual.shape[1])), np.int8)
        if state.hidden is not None:
            wider[:, : state.hidden.shape[1]] = state.hidden
        state.hidden = wider
    state.hidden[: len(values), channel:end] = values


def _bind_qkv(command: Command, source: Source) -> Step:
    machine, inner = source.machine, command["inner"]
    columns = head_columns(machine, 0, command["heads"], command["head_dim"])
    size = len(columns) * panel_bytes(machine, inner)
    data = source.bytes_at(command["weights"])
    shifts = (command["shift"], command["shift_key"], command["shift_query"])
    value, key, query = (
        unpack(data[number * size :], inner, columns, machine, shift)[0]
        for number, shift in enumerate(shifts)
    )

    def step(state: State) -> None:
        x = _operand(command, state)
        state.value = linear8(x, value, -WEIGHT_LIMIT)
        state.key = linear8(x, key, -WEIGHT_LIMIT)
        _write_hidden(state, command["dst_channel"], linear8(x, query))

    return step


def bind_attn(command: Command, source: Source) -> Step:
    """Attention of the heads in flight; O replaces Q.

    Heads run one after the other: BLAS already uses every core, and threads on top slow it down.
    """
    size, start, tokens = command["head_dim"], command["channel"], command.tokens

    def step(state: State) -> None:
        hidden, made = _needed(state.hidden, "QOH"), command["heads"] * size
        _part(hidden, "QOH", tokens, start + made)
        rows = len(_needed(state.key, "K"))
        key, value = _part(state.key, "K", rows, made), _part(state.value, "V", rows, made)
        for head in range(command["heads"]):
            own = slice(start + head * size, start + (head + 1) * size)
            flight = slice(head * size, (head + 1) * size)
            hidden[:tokens, own] = attend(
                hidden[:tokens, own],
                key[:, flight],
                value[:, flight],
                command[f"score_shift{head}"],
                command[f"gain{head}"],
                command[f"gain_shift{head}"],
            )

    return step


def bind_gate(command: Command, source: Source) -> Step:
    """Router of the task that runs; gates of the other tasks are read when first asked for."""
    gates: dict[int, Gate] = {}
    columns = natural_columns(source.machine, 2 * command["experts"])

    def gate_of(task: int) -> Gate:
        if task not in gates:
            data = source.bytes_at(command["weights"] + task * command["stride"])
            layer, flags = unpack(data, command["width"], columns, source.machine, 0)
            gates[task] = join_gate(layer, flags)
        return gates[task]

    def step(state: State) -> None:
        x = _part(state.normalised, "XN", command.tokens, command["width"])
        state.plan = route(x, gate_of(state.task), command["top_k"])
        state.plans[command.block] = state.plan

    return step


def _expert(command: Command, source: Source, number: int) -> Expert:
    machine, width, hidden = source.machine, command["width"], command["hidden"]
    data = source.bytes_at(command["weights"] + number * command["stride"])
    columns = natural_columns(machine, hidden)
    first, flags = unpack(data, width, columns, machine, command["shift1"])
    rest = data[linear_bytes(machine, width, hidden) :]
    columns = natural_columns(machine, width)
    second, _ = unpack(rest, hidden, columns, machine, command["shift2"])
    return Expert(fc1=first, fc2=second, hidden_class=(flags & 1).astype(np.uint8))


def _plan(command: Command, state: State) -> RoutingPlan:
    """The plan, of as many tokens and experts as the command has."""
    plan = state.plan
    if plan is None:
        raise CommandError("EXPERTS needs a plan, but no GATE came before")
    tokens = len(plan.tokens) // plan.top_k
    if (tokens, len(plan.counts)) != (command.tokens, command["experts"]):
        raise CommandError(
            f"the plan is of {tokens} tokens and {len(plan.counts)} experts, the command has "
            f"{command.tokens} and {command['experts']}"
        )
    return plan


def bind_experts(command: Command, source: Source) -> Step:
    """Every live expert by the plan, or every chunk for every token (identity)."""
    mlp = Mlp(
        experts=tuple(_expert(command, source, e) for e in range(command["experts"])),
        gelu=unpack_gelu(source.bytes_at(command["gelu"])),
        guard_bits=command["guard"],
    )

    def step(state: State) -> None:
        x = _part(state.normalised, "XN", command.tokens, command["width"])
        rows = state.residual[: command.tokens]
        if command.flags & Flag.IDENTITY:
            rows, saturated = add_dense(rows, x, mlp)
        else:
            rows, saturated = add_experts(rows, x, mlp, _plan(command, state))
        state.residual[: command.tokens] = rows
        state.saturations += saturated

    return step
