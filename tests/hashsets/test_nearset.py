"""A set with PDQ values is searched through the index beside it if that is its own, else through one made at once."""

from pathlib import Path

import pytest

from triage.hashsets.build import build_set
from triage.hashsets.nearset import SUFFIX, NearSet, write_near

ONE, TWO, THREE = "12" * 32, "3c" * 32, "e9" * 32


def listed(folder: Path, *values: str, column: str = "pdq") -> Path:
    path = folder / "unit.csv"
    path.write_text(f"{column},category\n" + "".join(f"{each},{number}\n" for number, each in enumerate(values)))
    return path


def built(folder: Path, *values: str) -> Path:
    out = folder / "unit.set"
    build_set([listed(folder, *values)], out)
    return out


def test_a_list_is_searched_with_what_it_says_of_the_entry(tmp_path: Path) -> None:
    near = NearSet.open(listed(tmp_path, ONE, TWO))
    found = near.nearest([bytes(32), bytes.fromhex(TWO)], 31)

    assert found is not None
    assert (found.variant, found.distance) == (1, 0)
    assert (found.match.name, found.match.category, found.match.digest) == ("unit.csv", "1", TWO)
    assert near.nearest([b"\xff" * 32], 31) is None


def test_plain_lines_of_64_digits_are_taken_as_pdq(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text(f"{ONE}\n{TWO}\n")

    assert len(NearSet.open(path).index) == 2


def test_a_list_without_pdq_values_is_an_empty_set(tmp_path: Path) -> None:
    path = tmp_path / "md5.csv"
    path.write_text("md5\n0123456789abcdef0123456789abcdef\n")

    assert len(NearSet.open(path).index) == 0


def test_the_index_beside_a_set_is_used_while_it_is_the_sets_own(tmp_path: Path) -> None:
    path = built(tmp_path, ONE, TWO)
    beside = write_near(path)

    assert beside == tmp_path / f"unit.set{SUFFIX}"
    assert len(NearSet.open(path).index) == 2
    damaged = beside.read_bytes()[:-1]
    beside.write_bytes(damaged)
    with pytest.raises(ValueError, match="damaged"):
        NearSet.open(path)


def test_the_index_of_an_older_edition_is_left_alone(tmp_path: Path) -> None:
    path = built(tmp_path, ONE, TWO)
    write_near(path)
    path.unlink()
    built(tmp_path, ONE, TWO, THREE)

    assert len(NearSet.open(path).index) == 3


def test_a_set_without_pdq_values_gets_no_index(tmp_path: Path) -> None:
    source, out = tmp_path / "md5.csv", tmp_path / "md5.set"
    source.write_text("md5\n0123456789abcdef0123456789abcdef\n")
    build_set([source], out)

    assert write_near(out) is None
    assert sorted(each.name for each in tmp_path.iterdir()) == ["md5.csv", "md5.set"]
