"""A category means what the chosen scheme says, and what no scheme maps is an alert."""

from importlib import resources
from pathlib import Path

import pytest

from triage.hashsets.schemes import DISPOSITIONS, load_scheme, names

OWN = """
id = "own"
title = "A unit's own"
source = "a decision of the unit"
[categories.1]
title = "First"
disposition = "illegal-candidate"
also = ["A"]
"""


def test_the_schemes_that_are_needed_are_there() -> None:
    assert set(names()) == {
        "vic-us", "dhs", "caid-uk", "vic-canada", "icse-baseline", "ncmec", "nsrl", "none",
    }  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_a_bundled_scheme_is_whole(name: str) -> None:
    scheme = load_scheme(name)

    assert scheme.id == name
    assert len(scheme.source) > 20
    assert all(each.disposition in DISPOSITIONS and each.title for each in scheme.categories.values())
    assert scheme.disposition("never heard of") == "alert"
    assert scheme.title("never heard of") == "never heard of"


def test_zero_is_non_pertinent_in_one_scheme_and_uncategorised_in_the_other() -> None:
    current, older = load_scheme("vic-us"), load_scheme("dhs")

    assert (current.title("0"), current.disposition("0")) == ("Non-pertinent", "exclude")
    assert (older.title("0"), older.disposition("0")) == ("Uncategorised", "alert")
    assert (older.title("5"), older.disposition("5")) == ("Non-pertinent", "exclude")
    assert current.disposition("5") == "alert"


@pytest.mark.parametrize(
    ("scheme", "raw", "disposition"),
    [
        ("vic-us", "1", "illegal-candidate"),
        ("vic-us", "2", "relevant"),
        ("vic-us", "3", "cgi"),
        ("vic-us", "4", "comparison"),
        ("vic-us", "", "alert"),
        ("caid-uk", "1", "alert"),
        ("caid-uk", "8", "alert"),
        ("vic-canada", "0", "alert"),
        ("icse-baseline", "Yes", "illegal-candidate"),
        ("icse-baseline", "y", "illegal-candidate"),
        ("icse-baseline", "FALSE", "alert"),
        ("icse-baseline", "", "alert"),
        ("ncmec", "A1", "illegal-candidate"),
        ("ncmec", "b2", "illegal-candidate"),
        ("ncmec", "", "alert"),
        ("nsrl", "8", "exclude"),
        ("nsrl", "", "exclude"),
        ("nsrl", "M", "alert"),
        ("none", "", "alert"),
    ],
)
def test_what_is_done_with_a_category(scheme: str, raw: str, disposition: str) -> None:
    assert load_scheme(scheme).disposition(raw) == disposition


def test_of_several_categories_of_one_file_the_gravest_counts() -> None:
    scheme = load_scheme("vic-us")

    assert scheme.disposition("0 | 1") == "illegal-candidate"
    assert scheme.disposition("0 | 7") == "alert"
    assert scheme.title("0 | 7") == "Non-pertinent | 7"


def test_no_scheme_leaves_out_what_it_does_not_map() -> None:
    for name in names():
        scheme = load_scheme(name)
        left_out = {raw for raw, each in scheme.categories.items() if each.disposition == "exclude"}
        assert left_out == {"vic-us": {"0"}, "dhs": {"5"}, "nsrl": {"8", ""}}.get(name, set())


def test_a_units_own_scheme_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    scheme = load_scheme(str(tmp_path / "own.toml"))

    assert (scheme.id, scheme.label) == ("own", "A unit's own")
    assert scheme.disposition("a") == "illegal-candidate"
    assert scheme.disposition("2") == "alert"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("illegal-candidate", "illegal"), "disposition 'illegal'"),
        (('title = "First"', ""), "title is missing"),
        (('source = "a decision of the unit"', ""), "source is missing"),
        (("also = ", "aslo = "), "keys other than"),
        (('also = ["A"]', 'also = ["1"]'), "twice"),
        (('also = ["A"]', "also = [1]"), "list of texts"),
        (("[categories.1]", "[kinds.1]"), "unknown keys"),
        (("[categories.1]", "[categories"), "cannot be used"),
    ],
)
def test_a_scheme_that_is_wrong_is_refused_with_the_reason(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace(*change))
    with pytest.raises(ValueError, match=reason) as caught:
        load_scheme(str(path))

    assert "own.toml" in str(caught.value)


def test_a_scheme_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vic-us"):
        load_scheme("usa")
    with pytest.raises(ValueError, match=r"none\.toml"):
        load_scheme(str(tmp_path / "none.toml"))


def test_every_scheme_is_a_file_that_a_unit_can_copy() -> None:
    for name in names():
        assert resources.files("triage_rules.schemes").joinpath(f"{name}.toml").is_file()
