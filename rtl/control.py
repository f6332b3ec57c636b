"""The word that travels beside a token pair, from issue to the results' FIFO."""

from amaranth.lib import data

from m3vit.rtl.parameters import BANK_BITS
from m3vit.rtl.passes import NUMBER_BITS, PAIR_BITS, TOKEN_BITS, Post, Source

SLOT_BITS = 9

Control = data.StructLayout(
    {
        "valid": 1,
        "swap": 1,
        "first": 1,
        "last": 1,
        "final": 1,
        "both": 1,
        "slot": SLOT_BITS,
        "pair": PAIR_BITS,
        "source": Source,
        "gather": 1,
        "buffer": 1,
        "channel": 7,
        "row": 13,
        "half": 1,
        "key": 8,
        "tokens": TOKEN_BITS,
        "first_token": TOKEN_BITS,
        "bank": BANK_BITS,
        "post": Post,
        "shift": 6,
        "column": 7,
        "group_step": 4,
        "limit": 7,
        "weighted": 1,
        "guard": 3,
        "number": NUMBER_BITS,
        "publish": 1,
    }
)
"""valid: a pair, not padding; swap: with a pass's first slot; final: a pass's last pair; both:
member 1 exists; slot: the pair's number in its block; bank: of the parameters.  The rest is the
pass's."""

COPIED = (
    "first last source gather buffer channel row half key tokens first_token post shift column "
    "group_step limit weighted guard number publish"
).split()
"""Fields that a pass gives as they are."""
