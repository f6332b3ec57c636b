"""What a command's jobs are: fields of linear layers and of attention as values."""

from typing import Any

from amaranth.hdl import Mux, Value

from m3vit.hw.commands.fields import Flag, Op, Post, Store
from m3vit.hw.machine import MachineConfig
from m3vit.rtl.command import Sizes, header, operands
from m3vit.rtl.passes import GemmJob, Source, Wait
from m3vit.rtl.passes import Post as To

Fields = dict[str, Any]


class Jobs:
    """Jobs of the command in ``word``; ``tokens`` of the image, ``pointer`` first ring word;
    ``size`` has the attributes of a RegionSize that has looked at the command.
    """

    def __init__(
        self, machine: MachineConfig, size: Any, word: Value, tokens: Value, pointer: Value
    ) -> None:
        self.sizes, self.size = Sizes(machine), size
        self.word, self.tokens, self.pointer = word, tokens, pointer
        self.head, self.groups = header(word), machine.groups

    def flag(self, flag: Flag) -> Value:
        """Whether the command carries ``flag``."""
        return (self.head["flags"] & flag) != 0

    def _common(self, **fields: Any) -> Fields:
        """A job with what all linear layers share."""
        return {
            **{name: 0 for name in GemmJob.members},
            "block_pairs": self.head["pairs"],
            "panels_group": 1,
            "row_step": self.tokens,
            "column_step": self.groups,
            "group_step": 1,
            "address": self.pointer,
            **fields,
        }

    def gemm(self) -> Fields:
        """GEMM."""
        fields, ordered = operands(self.word, Op.GEMM), self.flag(Flag.BLOCK_ORDER)
        qkv, residual = fields["post"] == Post.QKV, fields["post"] == Post.RESIDUAL
        heads = fields["heads"] * fields["head_dim"]
        outputs = Mux(qkv, heads, (fields["outputs"] + 15) >> 4)
        from_xn = self.head["src"] == Store.XN
        return self._common(
            tokens=self.head["tokens"],
            row_step=self.head["tokens"],  # a share of the image fills XN with its own tokens
            first_token=fields["first_token"],
            steps=self.sizes.steps(fields["inner"]),
            panels=self.size.panels0,
            panels_group=Mux(ordered, fields["panels_group"], 1),
            ramp=ordered & (qkv | ~from_xn),  # an embedding waits for its weights
            source=Mux(from_xn, Source.XN, Source.QOH),
            post=Mux(residual, To.RESIDUAL, To.HIDDEN),
            column=fields["dst_channel"],
            column_step=Mux(qkv, 1, self.groups),
            group_step=Mux(qkv, fields["head_dim"], 1),
            limit=fields["dst_channel"] + outputs,
            thirds=Mux(qkv, fields["head_dim"], 0),
            shift=fields["shift"],
            shift_key=fields["shift_key"],
            shift_query=fields["shift_query"],
            wait=Mux(from_xn, Wait.TOKENS, Wait.RETIRED),
            publish=residual & ordered,
            publish_all=residual & ~ordered,
        )

    def attention(self) -> Fields:
        """ATTN."""
        fields, rows = operands(self.word, Op.ATTN), self.sizes.machine.rows
        tokens, size = self.head["tokens"], fields["head_dim"]
        return {
            "tokens": tokens,
            "block_pairs": self.head["pairs"],
            "key_tiles": (tokens + 15) >> 4,
            "query_steps": self.sizes.steps(size << 4),
            "value_tiles": (tokens + (rows - 1)) >> (rows - 1).bit_length(),
            "value_columns": size,
            "column": fields["channel"],
            "group_step": size,
            "limit": fields["channel"] + fields["heads"] * size,
            "units": size,
        }

    def gate(self) -> Fields:
        """GATE; several panels follow each other pair by pair."""
        fields = operands(self.word, Op.GATE)
        panels = self.size.panels0
        return self._common(
            tokens=self.head["tokens"],
            block_pairs=Mux(panels == 1, self.head["pairs"], 1),
            ramp=panels == 1,
            steps=self.sizes.steps(fields["width"] << 4),
            panels=panels,
            panels_group=panels,
            post=To.GATE,
            wait=Wait.TOKENS,
        )

    def expert(self, count: Value, buffer: Value, last: Value) -> tuple[Fields, Fields]:
        """Both layers of an expert with a list of ``count`` tokens, or of a dense chunk.

        A chunk's tokens are ready and complete block by block, if both layers fit the ring.
        """
        fields, identity = operands(self.word, Op.EXPERTS), self.flag(Flag.IDENTITY)
        hidden, width, sizes = fields["hidden"], fields["width"], self.sizes
        tokens = Mux(identity, self.head["tokens"], count)
        ordered = identity & self.size.fits
        routed = {"gather": ~identity, "buffer": buffer, "tokens": tokens, "ramp": ordered}
        first = self._common(
            steps=sizes.steps(width << 4),
            panels=self.size.panels0,
            panels_group=Mux(ordered, self.size.panels0, 1),
            source=Source.XN,
            post=To.GELU,
            limit=hidden,
            shift=fields["shift1"],
            wait=Wait.TOKENS,
            **routed,
        )
        second = self._common(
            steps=sizes.steps(hidden << 4),
            panels=self.size.panels1,
            panels_group=Mux(ordered, self.size.panels1, 1),
            source=Source.QOH,
            post=To.RESIDUAL,
            limit=width,
            shift=fields["shift2"],
            weighted=~identity,
            guard=Mux(identity, 0, fields["guard"]),
            follow=1,
            publish=ordered & last,
            publish_all=identity & ~ordered & last,
            **routed,
        )
        second["address"] = self.pointer + self.size.first
        return first, second
