"""Experts token by token: between the plan, the lists, the fetch engine and the ring."""

from typing import Any

from amaranth.hdl import Module


def connect_token_order(m: Module, machine: Any) -> None:
    """``machine`` has its units as attributes."""
    order, lists, sequencer, fetch = machine.order, machine.lists, machine.sequencer, machine.fetch
    m.d.comb += [
        order.start.eq(sequencer.lists_start & sequencer.token_order),
        order.tokens.eq(sequencer.tokens),
        order.pointer.eq(sequencer.pointer),
        order.words.eq(sequencer.words),
        order.read.eq(machine.plan.read),
        fetch.want.eq(order.want),
        fetch.expert.eq(order.expert),
        order.taken.eq(fetch.taken),
        fetch.last.eq(order.last),
        lists.direct.eq(order.give),
        lists.direct_expert.eq(order.expert),
        lists.direct_token.eq(order.token),
        lists.direct_weight.eq(order.weight),
        *(getattr(order, name).eq(getattr(lists, name)) for name in ("listed", "held")),
        *(getattr(order, name).eq(getattr(lists, name)) for name in ("filling", "buffer")),
        order.offered.eq(lists.valid),
        sequencer.list_place.eq(order.place),
        machine.core.ring_kept.eq(order.active),
        machine.core.ring_floor.eq(order.floor),
    ]
