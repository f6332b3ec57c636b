"""Policies: for every expert of a block, compute it where it is, near its memory, or load it.

One interface, ``assign(tokens_per_expert)``; what a policy may know besides is stated with it.
"""

from collections.abc import Sequence

from m3vit.sim.system.placement import Place
from m3vit.sim.system.workload import Step, popularity

Key = tuple[int, int]
"""An expert: (block, number)."""


class Policy:
    """Base of all policies: a cache of ``slots`` experts that starts empty.

    ``overlaps``: an expert is computed as soon as its weights are there, not after all have come.
    ``buffers``: at most so many loads ahead of the computation (0: no limit).
    ``needs_gate``: preloads start when the gate is known, not at the start of the block.
    """

    name = "base"
    overlaps = True
    buffers = 0
    needs_gate = True

    def __init__(self, steps: Sequence[Step], slots: int) -> None:
        self.steps, self.slots = steps, slots
        self.cache: dict[Key, int] = {}
        self.position = -1

    def enter(self, position: int) -> None:
        """The run reaches a step."""
        self.position = position

    @property
    def step(self) -> Step:
        """The current step."""
        return self.steps[self.position]

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """A place for every expert (those without tokens are ignored)."""
        keys = [(self.step.block, expert) for expert in range(len(tokens))]
        places = [
            Place.FETCH if count and key not in self.cache else Place.PROCESSOR
            for key, count in zip(keys, tokens, strict=True)
        ]
        for key, count in zip(keys, tokens, strict=True):
            if count:
                self.admit(key)
        return places

    def admit(self, key: Key) -> None:
        """Note a use and make room for what was loaded."""
        self.cache[key] = self.position
        while len(self.cache) > self.slots:
            del self.cache[self.victim(key)]

    def victim(self, keep: Key) -> Key:
        """The expert to give up: here the least recently used."""
        others = [key for key in self.cache if key != keep]
        return min(others, key=lambda key: self.cache[key])

    def preload(self) -> list[Key]:
        """Experts to load ahead, after the block's own loads."""
        return []


class OnDemand(Policy):
    """Every active expert is loaded when the gate has chosen it; computing waits for all."""

    name = "on-demand"
    overlaps = False

    def admit(self, key: Key) -> None:
        """Nothing is kept."""


class LeastRecentlyUsed(Policy):
    """Loaded experts stay until the least recently used has to go."""

    name = "lru"


class PinHottest(Policy):
    """The experts that have work most often in the whole workload stay once they were loaded."""

    name = "pin-hottest"

    def __init__(self, steps: Sequence[Step], slots: int) -> None:
        super().__init__(steps, slots)
        counts = popularity(steps)
        self.hottest = set(sorted(counts, key=lambda key: (-counts[key], key))[:slots])

    def admit(self, key: Key) -> None:
        """Only the pinned set is kept."""
        if key in self.hottest:
            self.cache[key] = self.position


class DoubleBuffer(Policy):
    """M3ViT: tokens are reordered by expert, and one expert is loaded while another computes."""

    name = "m3vit"
    buffers = 2

    def admit(self, key: Key) -> None:
        """Nothing is kept beyond the two buffers."""


class PreGated(Policy):
    """The gate of the next block is known one block early, and its experts are loaded meanwhile."""

    name = "pre-gated"
    needs_gate = False

    def __init__(self, steps: Sequence[Step], slots: int) -> None:
        super().__init__(steps, slots)
        self.ahead: set[Key] = set()

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """What was loaded ahead is there; the first block alone has to wait."""
        places = [Place.PROCESSOR] * len(tokens)
        for expert, count in enumerate(tokens):
            if count and (self.step.block, expert) not in self.ahead:
                places[expert] = Place.FETCH
        return places

    def preload(self) -> list[Key]:
        """The experts of the next block."""
        following = self.steps[self.position + 1 : self.position + 2]
        keys = [(step.block, expert) for step in following for expert in step.active]
        self.ahead = set(keys)
        return keys


class PrefetchAll(PreGated):
    """Every expert of the next block is loaded ahead, chosen or not."""

    name = "prefetch-all"

    def preload(self) -> list[Key]:
        """All experts of the next block."""
        following = self.steps[self.position + 1 : self.position + 2]
        keys = [(step.block, expert) for step in following for expert in range(len(step.tokens))]
        self.ahead = set(keys)
        return keys


class Speculative(PreGated):
    """This project's accelerator: weights stream through a ring of ``slots`` experts in index
    order; the first of the next block enter before its gate is known, wanted or not."""

    name = "speculative"

    def __init__(self, steps: Sequence[Step], slots: int) -> None:
        super().__init__(steps, slots)
        self.buffers = slots

    def preload(self) -> list[Key]:
        """As many of the next block's first experts as the ring holds."""
        following = self.steps[self.position + 1 : self.position + 2]
        keys = [(step.block, expert) for step in following for expert in range(len(step.tokens))]
        self.ahead = set(keys[: self.slots])
        return keys[: self.slots]


class Resident(Policy):
    """All experts are at the processor: the machine whose memory holds the whole network."""

    name = "resident"

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """Nothing is ever loaded."""
        return [Place.PROCESSOR] * len(tokens)


class EdgeCache(Policy):
    """EdgeMoE's manner: frequent experts are kept, and likely experts of the next block preloaded.

    Both go by how often experts had work so far; as many are preloaded as have work now.
    """

    name = "edge-moe"

    def __init__(self, steps: Sequence[Step], slots: int) -> None:
        super().__init__(steps, slots)
        self.uses: dict[Key, int] = {}

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """As the base, counting uses."""
        for expert, count in enumerate(tokens):
            if count:
                key = (self.step.block, expert)
                self.uses[key] = self.uses.get(key, 0) + 1
        return super().assign(tokens)

    def victim(self, keep: Key) -> Key:
        """The least frequently used; among equals the one used longest ago."""
        others = [key for key in self.cache if key != keep]
        return min(others, key=lambda key: (self.uses.get(key, 0), self.cache[key]))

    def preload(self) -> list[Key]:
        """The next block's most used experts that are not there."""
        following = self.steps[self.position + 1 : self.position + 2]
        if not following:
            return []
        block = following[0].block
        known = sorted(
            (key for key in self.uses if key[0] == block), key=lambda key: -self.uses[key]
        )
        likely = known[: len(self.step.active)]
        wanted = [key for key in likely if key not in self.cache]
        for key in wanted:
            self.admit(key)
        return [key for key in wanted if key in self.cache]


class Farthest(Policy):
    """The offline optimum: with the future known, what is kept besides the block being computed is
    needed soonest (Belady), the newcomer included, and whatever the next block lacks is loaded
    during this one."""

    name = "offline-optimum"
    needs_gate = False

    def __init__(self, steps: Sequence[Step], slots: int) -> None:
        super().__init__(steps, slots)
        self.ahead: set[Key] = set()
        self.uses: dict[Key, list[int]] = {}
        for position in range(len(steps) - 1, -1, -1):
            for expert in steps[position].active:
                self.uses.setdefault((steps[position].block, expert), []).append(position)

    def assign(self, tokens: Sequence[int]) -> list[Place]:
        """As the base; what was loaded ahead is there too."""
        places = super().assign(tokens)
        for expert, place in enumerate(places):
            if place is Place.FETCH and (self.step.block, expert) in self.ahead:
                places[expert] = Place.PROCESSOR
        return places

    def victim(self, keep: Key) -> Key:
        """The one whose next use is farthest away, be it the newcomer."""
        return max(self.cache, key=self._next_use)

    def _next_use(self, key: Key) -> int:
        uses = self.uses[key]
        while uses and uses[-1] <= self.position:
            uses.pop()
        return uses[-1] if uses else len(self.steps)

    def preload(self) -> list[Key]:
        """Everything that the next block lacks."""
        following = self.steps[self.position + 1 : self.position + 2]
        wanted = [
            (step.block, expert)
            for step in following
            for expert in step.active
            if (step.block, expert) not in self.cache
        ]
        self.ahead = set(wanted)
        return wanted
