"""Chunks inflate to what was deflated, never to more than their bound, and never past a checksum that fails."""

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.evidence.inflate import inflate, inflate_chunk

LIMIT = 4096


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=LIMIT), st.integers(0, 9), st.binary(max_size=20))
def test_a_stream_inflates_whatever_lies_behind_it(data: bytes, level: int, behind: bytes) -> None:
    stored = memoryview(zlib.compress(data, level) + behind)

    chunk, fault = inflate_chunk(stored, LIMIT)

    assert (bytes(chunk), fault) == (data, "")
    assert inflate(stored, LIMIT) == (data, len(stored) - len(behind), "")


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        (zlib.compress(bytes(LIMIT + 1)), "incomplete or too long"),
        (zlib.compress(random.Random(1).randbytes(LIMIT))[:-1], "incomplete or too long"),
        (zlib.compress(bytes(LIMIT))[:-4] + bytes(4), "cannot be inflated"),
        (b"\x78\x9c\xff\xff" + bytes(40), "cannot be inflated"),
        (b"", "incomplete or too long"),
    ],
    ids=["too long", "cut", "checksum", "no deflate", "nothing"],
)
def test_what_is_wrong_is_told_and_nothing_is_returned(stored: bytes, fault: str) -> None:
    chunk, said = inflate_chunk(memoryview(stored), LIMIT)

    assert not chunk
    assert fault in said
    assert inflate(stored, LIMIT) == (b"", 0, said)


def test_a_damaged_stream_has_the_same_fate_in_both_ways_and_never_other_bytes() -> None:
    generator = random.Random(3)
    data = generator.randbytes(1500) + bytes(1000) + b"neutral text " * 100
    sound = zlib.compress(data)
    for _ in range(1500):
        broken = bytearray(sound[: generator.randrange(len(sound) - 8, len(sound) + 1)])
        for _ in range(generator.randrange(3)):
            broken[generator.randrange(len(broken))] ^= 1 << generator.randrange(8)

        expected, _, fault = inflate(bytes(broken), LIMIT)
        chunk, said = inflate_chunk(memoryview(broken), LIMIT)

        assert (bytes(chunk), said) == (expected, fault)
        assert expected in (b"", data)
