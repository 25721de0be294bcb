"""A set gives back exactly what was put into it, and knows nothing else."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets import sort
from triage.hashsets.build import BuildOptions, build_set, degenerate_digests
from triage.hashsets.entry import DIGEST_BYTES, ListFacts, SetEntry
from triage.hashsets.index import HashIndex
from triage.hashsets.index_format import Role

pytestmark = pytest.mark.usefixtures("look_ups")
NOWHERE = Path("made")


def entry(
    text: str, category: str = "", size: int | None = None, *algorithms: str, withdrawn: bool = False
) -> SetEntry:
    names = algorithms or ("md5", "sha1")
    return SetEntry(text, tuple((name, value(name, text)) for name in names), category, size, (), withdrawn)


def value(algorithm: str, text: str) -> bytes:
    return hashlib.shake_128(f"{algorithm} {text}".encode()).digest(DIGEST_BYTES[algorithm])


def hexes(text: str, *algorithms: str) -> dict[str, str]:
    return {name: value(name, text).hex() for name in algorithms}


def few_digests(algorithm: str) -> st.SearchStrategy[bytes]:
    """Digests that repeat, lie beside each other, or differ only at their ends."""
    width = DIGEST_BYTES[algorithm]
    ends = st.binary(max_size=3)
    alike = st.builds(lambda head, tail: head + bytes(width - len(head) - len(tail)) + tail, ends, ends)
    doubled = st.builds(lambda part: (part * width)[:width], st.binary(min_size=1, max_size=3))
    return alike | doubled | st.binary(min_size=width, max_size=width)


digests_of_entries = st.lists(
    st.sampled_from(sorted(DIGEST_BYTES)).flatmap(lambda name: st.tuples(st.just(name), few_digests(name))), max_size=4
)
any_entries = st.lists(
    st.builds(
        SetEntry,
        where=st.just("line 1"),
        digests=digests_of_entries.map(tuple),
        category=st.sampled_from(["", "1", "2", "B2", "ünï", "a | b"]),
        size=st.none() | st.integers(0, 1 << 34),
        withdrawn=st.sampled_from([False, False, False, True]),
    ),
    max_size=40,
)


def told(entries: list[SetEntry]) -> dict[tuple[str, bytes], tuple[set[str], int | None]]:
    """What a set of these entries must say, worked out in the plainest way."""
    withdrawn = {pair for each in entries if each.withdrawn for pair in each.digests}
    known: dict[tuple[str, bytes], tuple[set[str], int | None]] = {}
    for each in entries:
        for name, digest in each.digests:
            if (name, digest) in withdrawn or digest in degenerate_digests(name):
                continue
            categories, size = known.get((name, digest), (set(), None))
            known[name, digest] = (categories | ({each.category} - {""}), each.size if size is None else size)
    return known


@settings(deadline=None, max_examples=60)
@given(entries=any_entries, strangers=digests_of_entries, small=st.booleans())
def test_exactly_what_was_put_in_is_found(make_set, entries, strangers, small):
    expected = told(entries)
    if not expected:
        with pytest.raises(ValueError, match="no usable digest"):
            make_set(entries)
        return
    with pytest.MonkeyPatch.context() as patch:
        if small:  # so that even few rows go through the scratch file often, and are divided again and again
            patch.setattr(sort, "_BATCH", 3)
            patch.setattr(sort, "_LARGEST_PART", 2)
        index = HashIndex(make_set(entries), NOWHERE)

    for name in DIGEST_BYTES:
        asked = sorted({digest for each, digest in [*expected, *strangers] if each == name})
        singles = [index.find_value(name, digest) for digest in asked]
        assert index.find_many(name, asked) == singles
        assert index.holds_many(name, asked).tolist() == [match is not None for match in singles]
        for digest, match in zip(asked, singles, strict=True):
            if (name, digest) not in expected:
                assert match is None
                continue
            categories, size = expected[name, digest]
            assert match is not None
            assert (match.algorithm, match.digest) == (name, digest.hex())
            assert (set(match.categories), match.listed_size) == (categories, size)
        there = sorted(digest for each, digest in expected if each == name)
        assert list(index.values(name)) == there
        assert [row.tobytes() for row in index.array(name)] == there
        assert [match.digest for match in index.matches(name)] == [digest.hex() for digest in there]
        assert index.counts.get(name, 0) == len(there) == sum(index.categories(name).values())


def test_many_digests_are_found_and_their_neighbours_are_not(make_set):
    entries = [entry(str(number), str(number % 3), number, "sha1") for number in range(30_000)]
    index = HashIndex(make_set(entries), NOWHERE)
    values = [each.digests[0][1] for each in entries]
    flipped = [digest[:-1] + bytes([digest[-1] ^ 1]) for digest in values]

    assert index.facts.sections[0].drop == 1
    assert [(m and m.category, m and m.listed_size) for m in index.find_many("sha1", values)] == [
        (str(number % 3), number) for number in range(30_000)
    ]
    assert index.find_many("sha1", flipped) == [None] * 30_000
    assert not any(index.find_value("sha1", digest) for digest in flipped)
    assert list(index.values("sha1")) == sorted(values)
    assert index.at("sha1", 7).digest == sorted(values)[7].hex()


def test_digests_that_begin_alike_are_told_apart(make_set):
    # All in one bucket, far more than one is made for.
    values = [bytes(10) + hashlib.sha1(str(number).encode()).digest()[:10] for number in range(5_000)]
    index = HashIndex(make_set([SetEntry("x", (("sha1", each),)) for each in values]), NOWHERE)
    others = [each[:19] + bytes([each[19] ^ 255]) for each in values]

    assert all(index.find_value("sha1", each) for each in values)
    assert not any(index.find_value("sha1", each) for each in others)


def test_the_end_of_one_digest_and_the_begin_of_the_next_are_no_digest(make_set):
    first, second = bytes([1]) * 8 + bytes([2]) * 8, bytes([1]) * 7 + bytes([3]) * 9
    index = HashIndex(make_set([SetEntry("x", (("md5", first), ("md5", second)))]), NOWHERE)
    joined = first + second
    inside = {joined[at : at + 16] for at in range(1, 16)} | {(second + first)[at : at + 16] for at in range(1, 16)}

    assert [index.find_value("md5", each) for each in inside - {first, second}] == [None] * len(inside)


def test_the_strongest_digest_that_both_have_decides(make_set):
    index = HashIndex(make_set([entry("a"), entry("b", "weak", None, "md5")]), NOWHERE)
    both, weak = index.find(hexes("a", "md5", "sha1", "sha256")), index.find(hexes("b", "md5", "sha1", "sha256"))

    assert both is not None and (both.algorithm, both.digest) == ("sha1", value("sha1", "a").hex())
    assert weak is not None and (weak.algorithm, weak.category) == ("md5", "weak")
    assert index.find(hexes("a", "sha256")) is None
    assert index.find({}) is None


def test_a_value_that_is_compared_by_distance_is_no_match_for_a_file(make_set):
    index = HashIndex(make_set([entry("a", "", None, "pdq", "photodna", "ed2k", "btih")]), NOWHERE)

    assert index.find({"sha256": value("pdq", "a").hex(), "md5": value("ed2k", "a").hex()}) is None
    assert index.find_value("pdq", value("pdq", "a")) is not None


def test_perceptual_values_are_given_out_whole_and_without_copying(make_set):
    entries = [entry(str(number), "", None, "pdq") for number in range(9_000)]
    index = HashIndex(make_set(entries), NOWHERE)
    array = index.array("pdq")

    assert (array.shape, array.dtype, array.flags.owndata) == ((9_000, 32), np.uint8, False)
    assert {row.tobytes() for row in array} == {value("pdq", str(number)) for number in range(9_000)}
    assert index.array("photodna").shape == (0, 144)


def test_a_withdrawal_wins_wherever_it_stands(make_set):
    index = HashIndex(
        make_set(
            [entry("before"), entry("before", withdrawn=True)],
            [entry("after", withdrawn=True), entry("kept")],
            [entry("after")],
        ),
        NOWHERE,
    )

    assert index.counts == {"md5": 1, "sha1": 1}
    assert index.facts.withdrawn_counts == {"md5": 2, "sha1": 2}
    for gone in ("before", "after"):
        assert index.find(hexes(gone, "md5", "sha1")) is None
        assert index.is_withdrawn("sha1", value("sha1", gone))
    assert not index.is_withdrawn("sha1", value("sha1", "kept"))
    assert not index.is_withdrawn("sha256", value("sha256", "kept"))


def test_a_file_withdrawn_by_its_strong_digest_does_not_match_by_a_weak_one(make_set):
    index = HashIndex(make_set([entry("a"), entry("a", "", None, "sha1", withdrawn=True)]), NOWHERE)

    assert index.find_value("md5", value("md5", "a")) is not None
    assert index.find(hexes("a", "md5", "sha1")) is None


def test_a_digest_that_is_given_again_keeps_every_category_and_the_first_size(make_set):
    lists = [entry("a", "2"), entry("a", "", 7), entry("b", "1", 9)], [entry("a", "1", 8), entry("a", "2")]
    index = HashIndex(make_set(*lists), NOWHERE)
    match = index.find_value("md5", value("md5", "a"))

    assert match is not None
    assert (match.category, match.categories, match.listed_size) == ("1 | 2", ("1", "2"), 7)
    assert index.facts.repeated == 6


@pytest.mark.parametrize(
    ("sizes", "width"),
    [((None, None), 0), ((0, None), 4), ((1, (1 << 32) - 2), 4), ((1, (1 << 32) - 1), 8), ((1 << 40, 2), 8)],
)
def test_a_size_costs_no_more_room_than_it_needs(make_set, sizes, width):
    index = HashIndex(make_set([entry(str(at), "", size, "md5") for at, size in enumerate(sizes)]), NOWHERE)

    assert index.facts.sections[0].size_width == width
    assert tuple(index.find_value("md5", value("md5", str(at))).listed_size for at in range(2)) == sizes


@pytest.mark.parametrize(("count", "width"), [(1, 0), (2, 1), (255, 1), (256, 2), (65_537, 4)])
def test_a_category_costs_no_more_room_than_it_needs(make_set, count, width):
    index = HashIndex(make_set([entry(str(at), f"c{at}", None, "md5") for at in range(count)]), NOWHERE)

    assert index.facts.sections[0].label_width == width
    for at in {0, count // 2, count - 1}:
        assert index.find_value("md5", value("md5", str(at))).category == f"c{at}"


def test_a_set_of_the_exclude_role_excludes_whatever_its_categories_say(make_set):
    options = BuildOptions(role=Role.EXCLUDE, scheme="vic-us")
    match = HashIndex(make_set([entry("a", "1")], options=options), NOWHERE).find(hexes("a", "md5"))

    assert match is not None and (match.role, match.disposition) == (Role.EXCLUDE, "exclude")


def test_the_scheme_that_was_chosen_says_what_becomes_of_a_category(make_set):
    entries = [entry("a", "1"), entry("n", "8"), entry("n", "1"), entry("odd", "99"), entry("none"), entry("8", "8")]
    chosen = HashIndex(make_set(entries, options=BuildOptions(scheme="nsrl")), NOWHERE)
    unchosen = HashIndex(make_set(entries, facts=(ListFacts("f", "VICS 2.0 US"),)), NOWHERE)

    found = {name: chosen.find(hexes(name, "md5")).disposition for name in ("a", "n", "odd", "none", "8")}
    assert found == {"a": "alert", "n": "alert", "odd": "alert", "none": "exclude", "8": "exclude"}
    assert unchosen.facts.scheme == "VICS 2.0 US"
    assert {match.disposition for match in unchosen.matches("md5")} == {"alert"}


def test_a_digest_of_another_length_is_refused_by_name(make_set):
    index = HashIndex(make_set([entry("a")]), NOWHERE)

    with pytest.raises(ValueError, match="md5"):
        index.find_value("md5", bytes(20))
    with pytest.raises(ValueError, match="md5"):
        index.find_many("md5", [bytes(16), bytes(20)])
    with pytest.raises(IndexError):
        index.at("md5", 1)


def test_what_a_set_says_of_itself_is_there_after_opening(make_set, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"md5,category\n{'ab' * 16},1\nnonsense,2\n{'00' * 16},2\n")
    build_set(
        [path], tmp_path / "unit.hset", BuildOptions("Unit list", provider="Unit 7", version="May", scheme="ncmec")
    )
    index = HashIndex.open(tmp_path / "unit.hset")
    (source,) = index.facts.sources

    assert (index.name, index.role, index.facts.scheme) == ("Unit list", Role.ALERT, "ncmec")
    assert (index.facts.provider, index.facts.version) == ("Unit 7", "May")
    assert (source.name, source.bytes) == ("list.csv", path.stat().st_size)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (index.facts.rejected, index.facts.degenerate, len(index.facts.reasons)) == (1, 1, 1)
    assert "line 3" in index.facts.reasons[0]
    assert index.sha256 == hashlib.sha256((tmp_path / "unit.hset").read_bytes()).hexdigest()
