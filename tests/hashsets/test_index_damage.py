"""A damaged set is told, and never gives a match of something that was asked for and is not there."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets.entry import SetEntry
from triage.hashsets.index import HashIndex
from triage.hashsets.index_format import MAGIC, TRAILER

pytestmark = pytest.mark.usefixtures("look_ups")
NOWHERE = Path("made")
VALUES = [hashlib.sha1(str(number).encode()).digest() for number in range(600)]
STRANGERS = [hashlib.sha1(f"stranger {number}".encode()).digest() for number in range(50)]
BROKEN = "damaged|breaks off|does not say|cannot be as|not a hash set|later version|not known here"


@pytest.fixture(scope="module")
def whole(make_set) -> bytes:
    entries = [SetEntry("x", (("sha1", each),), str(at % 5), at) for at, each in enumerate(VALUES)]
    return make_set([*entries, SetEntry("x", (("sha1", bytes(19) + b"\7"),), withdrawn=True)])


def with_header(whole: bytes, change) -> bytes:
    """The set with another header, its digests made anew: what a clever forger would write."""
    length = int.from_bytes(whole[-TRAILER:][:8], "little")
    body, header = whole[: -TRAILER - length], json.loads(whole[-TRAILER - length : -TRAILER])
    change(header)
    text = json.dumps(header).encode()
    before = body + text + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest()
    return before + hashlib.sha256(before).digest()


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_changed_byte_is_told(whole, data):
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        index = HashIndex(bytes(changed), NOWHERE)
    except ValueError as error:
        assert any(words in str(error) for words in BROKEN.split("|"))
        return

    with pytest.raises(ValueError, match="damaged"):
        index.verify()
    for each in [*STRANGERS, *VALUES[:50]]:
        try:
            match = index.find_value("sha1", each)
        except ValueError:
            continue
        assert match is None or (match.digest == each.hex() and each in VALUES)
    try:
        many = index.find_many("sha1", STRANGERS)
    except ValueError:
        return
    assert many == [None] * len(STRANGERS)


@settings(deadline=None, max_examples=150)
@given(length=st.integers(0, 20_000))
def test_a_set_that_breaks_off_is_not_opened(whole, length):
    with pytest.raises(ValueError, match=BROKEN):
        HashIndex(whole[: min(length, len(whole) - 1)], NOWHERE)


def test_a_set_with_something_behind_it_is_not_opened(whole):
    with pytest.raises(ValueError, match=BROKEN):
        HashIndex(whole + b"\0", NOWHERE)


@settings(deadline=None, max_examples=100)
@given(junk=st.binary(max_size=300))
def test_junk_behind_the_right_first_bytes_is_not_opened(junk):
    with pytest.raises(ValueError, match=BROKEN):
        HashIndex(MAGIC + junk, NOWHERE)


numbers = st.sampled_from(
    [-1, 0, 1, 3, 24, 25, 63, 64, 1 << 20, 1 << 31, 1 << 40, 1 << 61, 1 << 80, 0.5, True, None, "7", []]
)


@settings(deadline=None, max_examples=300)
@given(
    where=st.sampled_from(["sections", "withdrawn"]),
    name=st.sampled_from(
        ["rows", "bits", "drop", "keys", "table", "labels", "label_width", "label", "sizes", "size_width", "algorithm"]
    ),
    number=numbers,
)
def test_a_forged_header_neither_crashes_nor_matches_strangers(whole, where, name, number):
    forged = with_header(whole, lambda header: header[where][0].update({name: number}))
    try:
        index = HashIndex(forged, NOWHERE)
        singles = [index.find_value("sha1", each) for each in STRANGERS]
        many = index.find_many("sha1", STRANGERS)
        list(index.matches("sha1"))
        index.categories("sha1")
    except ValueError:
        return

    assert singles == many == [None] * len(STRANGERS)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(role="both"),
        lambda header: header.update(labels=[64, 10]),
        lambda header: header.update(labels=[64, 1 << 50, 6]),
        lambda header: header.update(sections=7),
        lambda header: header.update(sections=[[]]),
        lambda header: header.update(sources=[{}]),
        lambda header: header.update(repeated="many"),
        lambda header: header.update(added=1),
        lambda header: header.pop("name"),
        lambda header: header["sections"].append(dict(header["sections"][0], algorithm="crc32")),
    ],
)
def test_a_header_that_says_what_cannot_be_is_refused(whole, change):
    with pytest.raises(ValueError, match=BROKEN):
        HashIndex(with_header(whole, change), NOWHERE)


def test_labels_that_are_none_are_told_when_they_are_needed(whole):
    index = HashIndex(with_header(whole, lambda header: header.update(labels=[64, 100, 6])), NOWHERE)

    assert index.find_value("sha1", STRANGERS[0]) is None
    with pytest.raises(ValueError, match="categories are damaged"):
        index.find_value("sha1", VALUES[0])


def test_a_set_of_a_later_version_says_so(whole):
    with pytest.raises(ValueError, match="later version"):
        HashIndex(MAGIC[:-1] + b"\x02" + whole[8:], NOWHERE)


@pytest.mark.parametrize("content", [b"", b"x", b"md5\n" + b"0" * 32])
def test_what_is_no_set_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.hset"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"other\.hset cannot be used"):
        HashIndex.open(path)
    with pytest.raises(ValueError, match=r"nowhere\.hset"):
        HashIndex.open(tmp_path / "nowhere.hset")
