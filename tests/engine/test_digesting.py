"""Digests are those of hashlib, whatever computes them, in however many pieces content comes."""

import hashlib
import os
import random
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.engine import digesting
from triage.engine.digesting import HASHLIB, INTERLEAVED, Digesting, digests_of, kernel

ALL = ("md5", "sha1", "sha256")
KERNEL = kernel() == INTERLEAVED
needs_kernel = pytest.mark.skipif(not KERNEL, reason="no compiled kernel, or no SHA instructions on this machine")


def expected(data: bytes | memoryview, algorithms: tuple[str, ...] = ALL) -> dict[str, str]:
    return {name: hashlib.new(name, data).hexdigest() for name in algorithms}


def in_pieces(data: bytes | memoryview, lengths: list[int], algorithms: tuple[str, ...] = ALL) -> dict[str, str]:
    state, offset = Digesting(algorithms), 0
    for length in lengths:
        state.update(data[offset : offset + length])
        offset += length
    state.update(data[offset:])
    return state.hexdigests()


@pytest.fixture(params=[pytest.param("kernel", marks=needs_kernel), "hashlib"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "hashlib":
        monkeypatch.setattr(digesting, "_interleaved", lambda algorithms: False)
    return str(request.param)


def test_ci_builds_the_kernel() -> None:
    if "CI" not in os.environ:
        pytest.skip("only CI promises a C compiler")
    from triage.engine import _digests

    assert _digests.available() == KERNEL


def test_a_published_answer(way: str) -> None:
    """RFC 1321, A.5, and FIPS 180-4's example of one block."""
    answers = {
        "md5": "900150983cd24fb0d6963f7d28e17f72",
        "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }

    assert answers == digests_of(b"abc", ALL) == in_pieces(b"abc", [1])


def test_every_length_around_the_padding(way: str) -> None:
    data = random.Random(1).randbytes(300)

    for length in range(301):
        part = data[:length]
        assert expected(part) == digests_of(part, ALL) == in_pieces(part, [length // 3])


@given(data=st.binary(max_size=2_000), lengths=st.lists(st.integers(0, 200), max_size=20))
def test_pieces_do_not_matter(data: bytes, lengths: list[int]) -> None:
    assert expected(data) == digests_of(data, ALL) == in_pieces(data, lengths)


def test_large_content_in_large_uneven_pieces(way: str) -> None:
    chance = random.Random(2)
    data = chance.randbytes(3_000_001)

    assert expected(data) == digests_of(data, ALL)
    assert expected(data) == in_pieces(data, [chance.randrange(300_000) for _ in range(8)])


@needs_kernel
def test_the_length_in_bits_may_exceed_32_bits() -> None:
    part, state, sha1 = bytes(1 << 20), Digesting(ALL), hashlib.sha1()
    for _ in range(513):
        state.update(part)
        sha1.update(part)

    assert sha1.hexdigest() == state.hexdigests()["sha1"]


def test_content_at_any_address_and_of_any_kind(way: str) -> None:
    data = random.Random(3).randbytes(5_000)
    for start in range(1, 34):
        view = memoryview(data)[start:-start]
        assert expected(view) == digests_of(view, ALL) == in_pieces(view, [start, 64, 1])
    assert expected(data) == digests_of(bytearray(data), ALL)
    assert expected(data[:4_000]) == digests_of(memoryview(array("d", data[:4_000])), ALL)


def test_digests_come_in_the_order_asked_for(way: str) -> None:
    for algorithms in permutations(ALL):
        assert list(algorithms) == list(digests_of(b"x", algorithms)) == list(in_pieces(b"x", [], algorithms))
        assert expected(b"x", algorithms) == digests_of(b"x", algorithms)


@pytest.mark.parametrize(
    "algorithms", [(), ("md5",), ("sha256", "md5"), ("sha512", "sha1", "sha256", "md5"), ("md5",) * 3]
)
def test_other_choices_of_algorithms(algorithms: tuple[str, ...]) -> None:
    data = b"neutral text" * 100

    assert expected(data, algorithms) == digests_of(data, algorithms) == in_pieces(data, [7], algorithms)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="md55"):
        digests_of(b"", ("md55",))


def test_asking_does_not_end_a_state(way: str) -> None:
    state = Digesting(ALL)
    state.update(b"a" * 100)

    assert expected(b"a" * 100) == state.hexdigests() == state.hexdigests()
    state.update(b"b")
    assert expected(b"a" * 100 + b"b") == state.hexdigests()


def test_threads_do_not_disturb_each_other(way: str) -> None:
    contents = [random.Random(seed).randbytes(200_000 + seed) for seed in range(8)]
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda data: [digests_of(data, ALL) for _ in range(4)], contents))

    assert [[expected(data)] * 4 for data in contents] == found


def test_two_threads_may_feed_one_state(way: str) -> None:
    """Pieces are alike, so that their order cannot matter; none may be lost or torn."""
    piece, state = bytes(range(251)) * 300, Digesting(ALL)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(state.update, piece) for _ in range(40)]:
            done.result()

    assert expected(piece * 40) == state.hexdigests()


def test_content_that_is_no_bytes_is_refused(way: str) -> None:
    for wrong in ("text", 5, None, memoryview(b"abcdef")[::2]):
        with pytest.raises((TypeError, BufferError)):
            digests_of(wrong, ALL)  # type: ignore[arg-type]
        with pytest.raises((TypeError, BufferError)):
            Digesting(ALL).update(wrong)  # type: ignore[arg-type]


@needs_kernel
def test_the_kernel_leaves_no_reference_behind() -> None:
    from triage.engine import _digests

    data, kind = b"x" * 10_000, _digests.Digests
    before = sys.getrefcount(data), sys.getrefcount(kind)
    for _ in range(100):
        state = _digests.Digests()
        state.update(data)
        state.hexdigests()
        _digests.digests(data)
        with pytest.raises(TypeError):
            _digests.Digests(data)  # type: ignore[call-arg]
    del state

    assert before == (sys.getrefcount(data), sys.getrefcount(kind))


def silent(answers: object) -> SimpleNamespace:
    return SimpleNamespace(
        available=lambda: answers is not None,
        digests=lambda data: answers,
        Digests=lambda: SimpleNamespace(update=lambda data: None, hexdigests=lambda: answers),
    )


@pytest.mark.parametrize("module", [None, silent(None)])
def test_without_a_kernel_hashlib_does_it(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digesting, "_digests", module)

    assert kernel.__wrapped__() == HASHLIB


def test_a_kernel_that_gives_other_digests_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digesting, "_digests", silent(tuple(expected(b"").values())))

    said = kernel.__wrapped__()
    monkeypatch.setattr(digesting, "kernel", lambda: said)
    assert "other digests" in said
    assert not digesting._interleaved.__wrapped__(ALL)
