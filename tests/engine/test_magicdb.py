"""The short database gives libmagic's own answers, and content it may not judge goes to the whole one."""

import random
import struct
from collections.abc import Iterator

import pytest

from triage.engine import libmagic, magicdb
from triage.engine.libmagic import compiled_database, type_by_all_tests, type_by_libmagic
from triage.engine.magicdb import UnknownDatabase, shortened

RECORD = 376


def planted(seed: int) -> Iterator[bytes]:
    """Binary heads that hold what each test of the database asks for, in one of several surroundings."""
    rng = random.Random(seed)
    data = compiled_database()
    (count,) = struct.unpack_from("<I", data, 8)
    for at in range(RECORD, RECORD * (count + 1), RECORD):
        level, length, type_, offset = (
            *struct.unpack_from("<H", data, at),
            data[at + 5],
            data[at + 6],
            *struct.unpack_from("<i", data, at + 12),
        )
        if level > 1 or not 0 <= offset < 4000:
            continue
        value = data[at + 32 : at + 32 + (length or 4)]
        value = value[::-1] if type_ in (7, 8, 26) else value
        around = rng.choice(
            (rng.randbytes(4200), bytes(rng.choice((64, 600, 4200))), bytes(rng.choices(b"\0\0\0\1\x80a", k=900)))
        )
        yield (around.ljust(offset, b"\0")[:offset] + value + b"\0\1" + around)[: rng.choice((4096, 4096, 300, 64))]


def test_the_database_of_the_installed_library_is_understood() -> None:
    short = shortened(compiled_database())

    assert len(short.data) < len(compiled_database()) / 2
    assert len(short.data) % RECORD == 0
    assert short.suffices(random.Random(1).randbytes(4096))


def test_the_short_database_gives_the_answers_of_the_whole_one() -> None:
    short = shortened(compiled_database())
    heads = random.Random(5).sample(list(planted(5)), 200)

    assert [type_by_libmagic(head) for head in heads] == [type_by_all_tests(head) for head in heads]
    assert 10 < sum(map(short.suffices, heads)) < 190


@pytest.mark.parametrize(
    "head",
    [
        b"words of plain text" + bytes(40),
        "words".encode("utf-16"),
        "words".encode("utf-32"),
        "\ufeffwords".encode("utf-32-be"),
        b"\xc8\x85\x93\x93\x96@\xa6\x96\x99\x93\x84\x15" * 4,  # EBCDIC
        b"",
        bytes(20),
    ],
)
def test_what_may_be_text_is_tried_with_the_whole_database(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(head: bytes) -> str:
        raise AssertionError(head)

    monkeypatch.setattr(libmagic, "_readers", lambda: (lambda head: "whole", never, shortened(compiled_database())))

    assert type_by_libmagic(head) == "whole"


def test_content_inside_other_content_is_tried_with_the_whole_database() -> None:
    short = shortened(compiled_database())
    skippable_frame = b"\x52\x2a\x4d\x18\x04\0\0\0" + bytes(4) + b"\x28\xb5\x2f\xfd" + bytes(64)
    mac_binary = bytearray(b"\0\4name" + bytes(122) + b"GIF89a")
    mac_binary[65:73] = b"GIFfogle"
    mac_binary[122:124] = b"\x81\x81"

    assert not short.suffices(skippable_frame)
    assert not short.suffices(bytes(mac_binary))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:16],
        lambda data: data[: RECORD * 3],
        lambda data: data + bytes(1),
        lambda data: data + bytes(RECORD),
        lambda data: data[:4] + b"\x12" + data[5:],
        lambda data: bytes(4) + data[4:],
        lambda data: data[:8] + b"\xff" * 8 + data[16:],
    ],
)
def test_a_database_of_another_format_is_not_guessed_at(spoil, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    data = spoil(compiled_database())
    with pytest.raises(UnknownDatabase):
        shortened(data)

    monkeypatch.setattr(libmagic, "compiled_database", lambda: data)
    whole, few, short = libmagic._readers.__wrapped__()

    assert short is None
    assert few is whole
    assert whole(b"\x1a\x01\x19\0\x02\0\x05\0\x87\0\x75\0\x61\x64") == type_by_all_tests(
        b"\x1a\x01\x19\0\x02\0\x05\0\x87\0\x75\0\x61\x64"
    )


def test_comparisons_are_those_of_libmagic() -> None:
    at_two = magicdb._Comparison(2, 4, "big", 0xFFFF, 0x8000, ord("<"), -1)

    assert at_two.holds(b"\0\0\xff\xfe")
    assert not at_two.holds(b"\0\0\xff\xff")
    assert not at_two.holds(b"\0\0\x00\x01")
    assert not at_two.holds(b"\0\0\xff")
    assert at_two._replace(relation=ord("!")).holds(b"")
    assert at_two._replace(sign=0, mask=0xFF00, relation=ord("="), wanted=0x8100).holds(b"\0\0\x81\x82")
