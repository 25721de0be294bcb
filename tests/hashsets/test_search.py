"""The compiled look-ups and those in Python give the same answers, and the same errors, whatever a set holds."""

import gc
import hashlib
import os
import subprocess
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets import search
from triage.hashsets.entry import DIGEST_BYTES, SetEntry
from triage.hashsets.index import HashIndex
from triage.hashsets.index_format import Role, Section, SetFacts
from triage.hashsets.match import Says
from triage.hashsets.search import COMPILED, PlainSearch, compiled, kernel

NOWHERE = Path("made")
LABELS = b'[["alert"],["alert","1"],["exclude","2","2 | 3"]]'
needs_kernel = pytest.mark.skipif(kernel() != COMPILED, reason=f"no compiled kernel: {kernel()}")


def says(data: bytes, role: Role = Role.ALERT) -> Says:
    facts = SetFacts("set", role.value, "scheme", "", "", "", (), 0, 0, (), (0, len(LABELS), 3), (), ())
    return Says(data, facts, NOWHERE)


def asked(look_up, *arguments):
    """The answer, or the words of the error."""
    try:
        answer = look_up(*arguments)
    except ValueError as error:
        return str(error)
    return bytes(answer) if isinstance(answer, bytearray) else answer


def test_ci_builds_the_kernel():
    if "CI" not in os.environ:
        pytest.skip("only CI promises a C compiler")
    assert kernel() == COMPILED


def test_what_looks_up_says_why_it_is_not_the_kernel():
    code = "import sys; sys.modules['triage.hashsets._search'] = None; from triage.hashsets import search as s"
    code += "; print(s.kernel())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("Python (") and "_search" in done.stdout


numbers = st.integers(-3, 400) | st.sampled_from([-(1 << 62), 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 61, (1 << 62) - 1])
sections = st.builds(
    Section,
    algorithm=st.sampled_from(sorted(DIGEST_BYTES)),
    rows=st.integers(0, 90) | numbers,
    bits=st.integers(0, 4) | st.sampled_from([24, 25, -1, 1 << 31]),
    drop=st.sampled_from([0, 0, 0, 1, 3]),
    keys=st.integers(0, 90) | numbers,
    table=st.integers(0, 300) | numbers,
    labels=numbers,
    label_width=st.sampled_from([0, 1, 2, 4]),
    label=st.integers(0, 4),
    sizes=numbers,
    size_width=st.sampled_from([0, 4, 8]),
)


def lies_within(section: Section, length: int) -> bool:
    """What opening a set makes sure of."""
    possible = 0 <= section.bits <= 24 and 0 <= section.rows < 1 << 32 and section.drop <= section.bits // 8
    return possible and all(place >= 0 and place + size <= length for place, size in section.columns() if size)


@needs_kernel
@settings(deadline=None, max_examples=400)
@given(data=st.data(), section=sections, role=st.sampled_from(Role))
def test_columns_of_anything_are_looked_up_alike(data, section, role):
    """Also where nothing is sorted, tables lead anywhere, and columns overlap."""
    entries = data.draw(st.lists(st.integers(0, 100), min_size=17, max_size=20))
    if data.draw(st.booleans()):
        entries.sort()
    table = b"".join(number.to_bytes(4, "little") for number in entries)
    whole = LABELS + table + data.draw(st.binary(max_size=40)) * 60
    if not lies_within(section, len(whole)):
        with pytest.raises((ValueError, OverflowError)):
            compiled(whole, section, says(whole))
        return
    width = DIGEST_BYTES[section.algorithm]
    places = data.draw(st.lists(st.integers(0, max(0, len(whole) - width)), max_size=8))
    leading = data.draw(st.binary(max_size=3))
    values = [(leading + whole[at : at + width])[:width] for at in places]
    plain, fast = PlainSearch(whole, section, says(whole, role)), compiled(whole, section, says(whole, role))

    for value in values:
        assert asked(fast.row, value) == asked(plain.row, value)
        assert asked(fast.find, value) == asked(plain.find, value)
        assert asked(fast.find_text, value.hex()) == asked(plain.find_text, value.hex()) == asked(plain.find, value)
    singles = [asked(fast.row, value) for value in values]
    if all(isinstance(row, int) for row in singles):
        assert array("q", fast.rows(values)).tolist() == singles
        assert asked(fast.find_many, values) == asked(lambda: [plain.find(value) for value in values])
    else:
        assert asked(fast.rows, values) == asked(fast.find_many, values)


@needs_kernel
@pytest.mark.parametrize("width", [0, 1, 2, 4])
@pytest.mark.parametrize("size", [0, 4, 8])
def test_what_a_row_says_is_read_alike(width, size):
    """Numbers of labels, some of which there are not, and stated sizes of any length."""
    digests = sorted(hashlib.md5(bytes([number])).digest() for number in range(9))
    labels = b"".join((number % 4).to_bytes(width, "little") for number in range(9)) if width else b""
    sizes = b"".join((number << 8 * size - 4).to_bytes(size, "little") for number in range(9)) if size else b""
    head = LABELS + bytes(4) + (9).to_bytes(4, "little")
    whole = head + b"".join(digests) + labels + sizes
    section = Section(
        "md5", 9, 0, 0, len(head), len(LABELS), len(head) + 144, width, 2, len(head) + 144 + len(labels), size
    )
    plain, fast = PlainSearch(whole, section, says(whole)), compiled(whole, section, says(whole))
    answers = [asked(fast.find, digest) for digest in digests]

    assert answers == [asked(plain.find, digest) for digest in digests]
    assert not width or "there is no label 3" in answers[3]
    assert asked(fast.find_many, digests) == asked(plain.find_many, digests)
    assert [type(each) for each in answers if not isinstance(each, str)] == [search.HashMatch] * (6 + 1 if width else 9)


@needs_kernel
def test_a_wrong_value_is_refused_alike(make_set):
    index = HashIndex(make_set([SetEntry("x", (("sha1", b"\1" * 20),))]), NOWHERE)
    section = index.facts.sections[0]
    column = compiled(index._data, section, index._says)
    plain = PlainSearch(index._data, section, index._says)

    for value in (b"", bytes(19), bytes(21), bytes(500)):
        assert asked(column.row, value) == asked(plain.row, value) == asked(column.find, value)
        assert asked(column.rows, [bytes(20), value]) == asked(plain.rows, [bytes(20), value])
    for look_up in (column.row, column.find, column.rows, column.find_many):
        with pytest.raises(TypeError):
            look_up("1" * 20)
    for digests in (7, None, {"sha1": 7}, {"sha1": b"1" * 40}):
        with pytest.raises((TypeError, AttributeError)):
            index.find(digests)
    for arguments in ((), ("sha1",), ([], b""), ("sha1", "1" * 20)):
        with pytest.raises(TypeError):
            index.find_value(*arguments)
    for look_up in (column.rows, column.find_many):
        with pytest.raises(TypeError):
            look_up([bytes(20), None])
        with pytest.raises(TypeError):
            look_up(7)
    assert bytes(column.rows([])) == b"" and column.find_many([]) == []


@needs_kernel
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_the_digests_of_a_file_are_tried_alike(make_set, data):
    """Also where some are withdrawn, missing, empty, or none."""
    names = ("sha512", "sha256", "sha1", "md5")
    number = st.integers(0, 2)
    pairs = st.lists(st.tuples(st.sampled_from(names), number), min_size=1, max_size=6, unique=True)

    def value(name, at):
        return hashlib.new(name, b"%d" % at).digest()

    entries = [
        SetEntry("x", ((name, value(name, at)),), withdrawn=data.draw(st.booleans())) for name, at in data.draw(pairs)
    ]
    whole = make_set([*entries, SetEntry("x", (("sha1", b"\1" * 20),))])
    odd = st.sampled_from(["", "a", "g" * 40, "A" * 40, "é" * 40, " " * 128, "0" * 64, None])
    texts = st.tuples(st.sampled_from(names), number).map(lambda pair: value(*pair).hex())
    files = data.draw(st.lists(st.dictionaries(st.sampled_from(names), texts | odd), max_size=5))
    fast = HashIndex(whole, NOWHERE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_search", None)
        plain = HashIndex(whole, NOWHERE)

    for file in files:
        assert asked(fast.find, file) == asked(plain.find, file)
        assert asked(fast.find, MappingProxyType(file)) == asked(fast.find, file)
    for name in (*names, "pdq", "nothing"):
        assert asked(fast.find_value, name, bytes(20)) == asked(plain.find_value, name, bytes(20))


@needs_kernel
def test_many_threads_look_up_at_once(make_set):
    values = [hashlib.sha1(b"%d" % number).digest() for number in range(4_000)]
    entries = [SetEntry("x", (("sha1", each),), str(at % 7), at) for at, each in enumerate(values)]
    index = HashIndex(make_set(entries), NOWHERE)
    expected = index.find_many("sha1", values)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: index.find_many("sha1", values), range(12)))

    assert [match.listed_size for match in expected] == list(range(4_000))
    assert answers == [expected] * 12


@needs_kernel
def test_a_set_that_is_no_longer_used_is_given_back(tmp_path, make_set):
    path = tmp_path / "unit.hset"
    path.write_bytes(make_set([SetEntry("x", (("sha1", b"\1" * 20),), "1")]))
    index = HashIndex.open(path)
    match, mapped = index.find({"sha1": "01" * 20}), index._data
    del index

    assert not gc.is_tracked(match) and match.categories == ("1",)
    mapped.close()  # refused while anything still looks into it
