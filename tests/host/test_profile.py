"""Profiles: names of layers, sums, text, picture and files, from counts made up for a package."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from m3vit.host.profile import (
    FORMAT,
    Profile,
    ProfileError,
    added,
    profiles_of,
    read_profile,
    write_profile,
)
from m3vit.host.profile_table import profile_table
from m3vit.hw.package import Package
from m3vit.hw.registers import COUNTERS
from tests.support.packages import compiled

BUSY = list(COUNTERS).index("ARRAY_BUSY")
GATE = list(COUNTERS).index("ARRAY_WAIT_GATE")


def counted(package: Package) -> dict[str, Any]:
    """Command i takes 10 + i cycles, all but four of them busy."""
    commands, bins, at = [], [], 0
    for index in range(len(package.commands)):
        counts = [0] * len(COUNTERS)
        counts[0], counts[BUSY], counts[GATE] = 10 + index, 6 + index, 4
        commands.append([index, at, at + 9 + index, *counts])
        bins.append(counts)
        at += 10 + index
    return {"runs": [{"commands": commands, "span": 10, "bins": bins}]}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return compiled(tmp_path_factory.mktemp("profile") / "package")[1]


@pytest.fixture(scope="module")
def profile(package: Package) -> Profile:
    return profiles_of(counted(package), package)[0]


def test_sums_by_layer_and_over_time_agree(profile: Profile, package: Package) -> None:
    number = len(package.commands)
    assert profile.total["CYCLES"] == sum(10 + index for index in range(number))
    for parts in (profile.layers(), profile.kinds()):
        assert added(iter(parts.values())) == profile.total
    assert added(iter(profile.bins)) == profile.total
    kinds = set(profile.kinds())
    assert kinds >= {"load", "embedding", "norm", "qkv", "attention", "projection", "mlp"}
    assert kinds >= {"gate", "experts", "store", "end"}


def test_the_table_has_a_line_a_layer(profile: Profile) -> None:
    text = profile_table(profile, by_block=False)
    lines = text.splitlines()
    assert len(lines) == 4 + len(profile.kinds()) + 1
    assert lines[-1].split()[:2] == ["all", str(profile.total["CYCLES"])]
    assert "micro on mini" in lines[0]
    share = 100 * profile.total["ARRAY_BUSY"] / profile.total["CYCLES"]
    assert f" {share:.1f} " in lines[-1]


def test_files_are_written_and_read_back(profile: Profile, tmp_path: Path) -> None:
    files = write_profile(tmp_path / "all", profile)
    assert [file.name for file in files] == ["profile.json", "profile.txt", "profile.png"]
    assert read_profile(files[0]) == profile
    with Image.open(files[2]) as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 10
    (single,) = write_profile(tmp_path / "one.json", profile)
    assert read_profile(single) == profile


def test_what_is_no_profile_is_refused(package: Package, tmp_path: Path) -> None:
    foreign = counted(package)
    foreign["runs"][0]["commands"][0][0] = 500
    with pytest.raises(ProfileError, match="command 500 was counted, the package has"):
        profiles_of(foreign, package)
    with pytest.raises(ProfileError, match=FORMAT):
        Profile.from_dict({"format": "other"})
    with pytest.raises(ProfileError, match="expected what `--profile` writes"):
        Profile.from_dict({"format": FORMAT, "steps": [], "bins": []})
    with pytest.raises(ProfileError, match="cannot read"):
        read_profile(tmp_path / "absent.json")
