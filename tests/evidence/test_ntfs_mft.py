"""MFT records, made by hand."""

import struct

from triage.evidence.entry import EntryTimes
from triage.evidence.mft_blocks import MftBlocks
from triage.evidence.ntfs_mft import Mft, record_size, unix_ns
from triage.evidence.source import MemorySource

SIZE = 1024
MODIFIED, ACCESSED, CHANGED, CREATED = 133_000_000_000_000_000, 2, 133_000_000_000_000_003, 0


def attribute(kind: int, body: bytes, nonresident: int = 0, name: bytes = b"", number: int = 1) -> bytes:
    head = 64 if nonresident else 24
    length = head + len(name) + len(body)
    length += -length % 8
    if nonresident:
        fixed = struct.pack("<IIBBHHH", kind, length, 1, len(name) // 2, head, 0, number) + body[:48]
        return (fixed + name).ljust(length, b"\0")
    fixed = struct.pack("<IIBBHHHIH", kind, length, 0, len(name) // 2, head, 0, number, len(body), head + len(name))
    return (fixed.ljust(24, b"\0") + name + body).ljust(length, b"\0")


def file_name(namespace: int, shift: int = 0) -> bytes:
    times = struct.pack("<QQQQ", CREATED, MODIFIED + shift, CHANGED, ACCESSED)
    return struct.pack("<Q", 5) + times + bytes(24) + struct.pack("<BB", 1, namespace) + b"a\0"


def data(size: int, valid: int, name: str = "", first: int = 0) -> bytes:
    body = struct.pack("<QQHHIQQQ", first, 9, 64, 0, 0, size, size, valid)
    return attribute(0x80, body, 1, name.encode("utf-16-le"))


def record(*attributes: bytes, base: int = 0) -> bytes:
    body = b"".join(attributes) + b"\xff\xff\xff\xff"
    head = struct.pack("<4sHH8xHHHHIIQ", b"FILE", 48, 3, 1, 1, 56, 1, 0, 0, base).ljust(56, b"\0")
    raw = bytearray((head + body).ljust(SIZE, b"\0"))
    raw[48:50] = b"\x07\x00"
    raw[50:52], raw[52:54] = raw[510:512], raw[1022:1024]
    raw[510:512] = raw[1022:1024] = b"\x07\x00"
    return bytes(raw)


def mft(*records: bytes) -> Mft:
    return Mft(MftBlocks(MemorySource(b"".join(records))), SIZE, lambda *_: b"")


EXPECTED = EntryTimes(unix_ns(MODIFIED), unix_ns(ACCESSED), unix_ns(CHANGED), None)


def test_last_name_that_is_not_for_dos_gives_the_times() -> None:
    long, short, posix = attribute(0x30, file_name(1)), attribute(0x30, file_name(2, 70)), attribute(0x30, file_name(0))

    assert mft(record(long, short)).facts(0).name_times == EXPECTED
    assert mft(record(attribute(0x30, file_name(3, 90)), posix)).facts(0).name_times == EXPECTED
    assert mft(record(short)).facts(0).name_times is None


def test_field_that_lies_across_a_sector_end_is_put_back() -> None:
    for padding in range(0, 520, 8):
        table = mft(record(attribute(0x50, bytes(padding)), attribute(0x30, file_name(1)), data(9000, 17)))

        assert table.facts(0).name_times == EXPECTED
        assert table.facts(0).valid == {"": 17}


def test_valid_length_is_told_where_it_is_shorter() -> None:
    table = mft(record(data(5000, 5000), data(5000, 4096, "stream"), data(900, 0, "later", first=8)))

    assert table.facts(0).valid == {"stream": 4096}


def test_extension_records_are_followed() -> None:
    entry = struct.pack("<IHBBQQH", 0x30, 32, 0, 26, 0, 1, 1).ljust(32, b"\0")
    other = struct.pack("<IHBBQQH", 0x30, 32, 0, 26, 0, 2, 1).ljust(32, b"\0")
    table = mft(
        record(attribute(0x20, entry + other + entry)),
        record(attribute(0x30, file_name(1)), base=0),
        record(attribute(0x30, file_name(1, 1000)), base=77),
    )

    assert table.facts(0).name_times == EXPECTED


def test_record_that_makes_no_sense_says_nothing() -> None:
    good = record(attribute(0x30, file_name(1)))
    torn = good[:510] + b"\x01\x02" + good[512:]
    endless = record(struct.pack("<II", 0x30, 0) + bytes(40))

    for raw in (bytes(SIZE), b"\xff" * SIZE, endless, good[:600]):
        assert mft(raw).facts(0).name_times is None
    assert mft(torn).times(0) is None
    assert mft(good).facts(99).name_times is None


def test_times_of_the_record_reach_beyond_those_of_unix() -> None:
    body = struct.pack("<QQQQ", 1, 200_000_000_000_000_000, 0, MODIFIED) + bytes(16)
    times = mft(record(attribute(0x10, body))).times(0)

    # 2234-10-11 and the first 100 ns of 1601.
    assert EntryTimes(8_355_526_400 * 10**9, unix_ns(MODIFIED), None, -11_644_473_599_999_999_900) == times


def test_record_sizes_by_boot_sector() -> None:
    def boot(per_cluster: int, clusters: int) -> bytes:
        raw = bytearray(512)
        struct.pack_into("<HB", raw, 11, 512, per_cluster)
        struct.pack_into("<b", raw, 64, clusters)
        return bytes(raw)

    assert record_size(boot(8, -10)) == 1024
    assert record_size(boot(8, 1)) == 4096
    assert record_size(bytes(512)) == 0
    assert record_size(boot(8, -60)) == 0


def test_short_cut_past_the_usual_first_attributes_changes_nothing() -> None:
    names = [attribute(0x30, file_name(space, space)) for space in (0, 1, 2, 3)]
    for information in (attribute(0x10, bytes(48)), attribute(0x10, bytes(72))):
        for first in names:
            for second in names:
                usual = mft(record(information, first, second, data(9, 4, "s"))).facts(0)
                other = mft(record(attribute(0x50, bytes(8)), first, second, data(9, 4, "s"))).facts(0)
                assert usual == other
                assert usual.valid == {"s": 4}
