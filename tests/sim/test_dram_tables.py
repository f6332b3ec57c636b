"""Memory tables: equal to the resolved reference, checked, extendable by a file."""

from collections import Counter
from pathlib import Path

import pytest

from m3vit.hw.errors import ConfigurationError
from m3vit.sim.dram import commands
from m3vit.sim.dram.load import load_memory, memory_names
from tests.sim.reference import stored

_LEVELS = {
    "Channel": "channel",
    "Rank": "rank",
    "PseudoChannel": "rank",
    "Sid": "stack",
    "BankGroup": "group",
    "Bank": "bank",
}
_FOLDER = Path(commands.__file__).parent / "memories"


def _pairs(memory: str) -> Counter:
    table = load_memory(memory)
    return Counter(
        (rule.level, before, after, rule.latency, rule.window, rule.sibling)
        for rule in table.rules
        for before in rule.before
        for after in rule.after
        if rule.latency
    )


def _reference_pairs(memory: str) -> Counter:
    config = stored("ramulator_rules.json.gz")[memory]
    pairs: Counter = Counter()
    for level, before, after, latency, *rest in config["timing_constraints"]:
        window, sibling = (rest + [1, False])[:2] if len(rest) != 1 else (rest[0], False)
        for i in before:
            for j in after:
                names = config["commands"][i], config["commands"][j]
                if latency and not any(name.startswith("RFM") for name in names):
                    ids = [commands.BY_NAME[name] for name in names]
                    level_name = _LEVELS[config["levels"][level]]
                    pairs[(level_name, *ids, latency, window, sibling)] += 1
    return pairs


@pytest.mark.parametrize("memory", sorted(stored("ramulator_rules.json.gz")))
def test_rules_equal_the_resolved_reference(memory: str) -> None:
    assert set(_pairs(memory)) == set(_reference_pairs(memory))


@pytest.mark.parametrize("memory", sorted(stored("ramulator_rules.json.gz")))
def test_sizes_and_latency_equal_the_reference(memory: str) -> None:
    table, config = load_memory(memory), stored("ramulator_rules.json.gz")[memory]
    sizes = dict(zip(config["levels"], config["count"], strict=True))
    assert table.organisation.banks == sizes["Bank"]
    assert table.organisation.rows == sizes["Row"]
    assert table.organisation.columns == sizes["Column"] // config["prefetch"]
    assert table.read_latency == config["read_latency"]
    assert table.ticks("nREFI") == config["timing"]["nREFI"]
    assert table.tick_ps == config["timing"]["tCK_ps"]


@pytest.mark.parametrize("memory", memory_names())
def test_every_number_has_a_source(memory: str) -> None:
    table = load_memory(memory)
    assert table.source and table.energy.source
    assert all(len(value.source) > 8 for value in table.timing.values())


def test_unknown_memory_lists_the_known() -> None:
    with pytest.raises(ConfigurationError, match="ddr4-2400.*hbm3-6400"):
        load_memory("ddr9")


def _edited(tmp_path: Path, old: str, new: str, memory: str = "ddr4-2400") -> str:
    text = (_FOLDER / f"{memory}.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new))
    return str(path)


def test_a_users_own_memory_is_a_file(tmp_path: Path) -> None:
    path = _edited(tmp_path, "nCL = { cycles = 16", "nCL = { ns = 14.16")
    assert load_memory(path).timing["nCL"].cycles == 17


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate_mtps = 2400", "rate_mtps = 1200", "MHz"),
        ("clock_ps = 833", "clock_ps = 416", "4808 MT/s"),
        ("nRFC = { ns = 360", "nRFC = { ns = 9000", "never ends before the next refresh"),
        ('latency = "nRRDS"', 'latency = "nRRDS - 9"', "expected 0 or more"),
        ('latency = "nFAW"', 'latency = "nFAW + 9999"', "never be met"),
        ('latency = "nRRDS"', 'latency = "nXYZ"', "names nXYZ; the table has nBL"),
        ('latency = "nRRDS"', 'latency = "2 * nRP"', "must be a sum"),
        ("banks = 4", "banks = -4", "positive whole number, got -4"),
        ("banks = 4", "banks = 3", "power of two"),
        ('level = "group"', 'level = "bungalow"', "known are channel, rank"),
        ('before = ["REFab"]', 'before = ["REFxy"]', "unknown command 'REFxy'"),
        ("single-bus", "triple-bus", "single-bus, dual-bus"),
        ("bus_bits = 64\n", "", "lacks the key 'bus_bits'"),
        ("[timing]", "[timing", "not valid TOML"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")) as caught:
        load_memory(_edited(tmp_path, old, new))
    assert "\n" not in str(caught.value)


def test_second_activate_that_can_never_come(tmp_path: Path) -> None:
    rule = '{ level = "bank", before = ["ACT1"], after = ["ACT2"], latency = "9" },'
    path = _edited(tmp_path, "list = [", f"list = [\n  {rule}", "lpddr5-6400")
    with pytest.raises(ConfigurationError, match="can never be met"):
        load_memory(path)
