"""Partition tables, logical volumes and the search through them, on disks written from the format specifications."""

import hashlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes.disks import (
    MAGIC,
    OTHER_MAGIC,
    SECTOR,
    BadSource,
    at,
    gpt,
    kinds,
    nested,
    physical_volume,
    search,
    states,
    table,
    toy,
)

from triage.evidence import lvm, mbr, partitions
from triage.evidence.entry import OpenOptions
from triage.evidence.lvm_text import GrammarError, parse
from triage.evidence.source import ByteSource, MemorySource, Slice, UnreadableBytes
from triage.evidence.unrecognised import entropy, look
from triage.locator import Locator
from triage.notices import NoticeKind


def test_primary_partitions_carry_the_number_of_their_entry_and_gaps_are_listed() -> None:
    disk = at(
        100 * SECTOR,
        (0, table((0, 7, 50, 20), (0x80, 0x83, 10, 20))),
        (10 * SECTOR, toy(20 * SECTOR)),
        (50 * SECTOR, toy(20 * SECTOR)),
    )

    found = search(disk, partitions.detect)

    assert states(found) == [
        ("u1", "unallocated", 0, 10 * SECTOR),
        ("p2", "open", 10 * SECTOR, 20 * SECTOR),
        ("u2", "unallocated", 30 * SECTOR, 20 * SECTOR),
        ("p1", "open", 50 * SECTOR, 20 * SECTOR),
        ("u3", "unallocated", 70 * SECTOR, 30 * SECTOR),
    ]
    assert [v.description for v in found.volumes if v.id[0] == "p"] == ["Linux (0x83)", "NTFS / exFAT (0x07)"]
    assert [fs.locator for v in found.volumes for fs in v.file_systems] == [
        Locator("disk", "p2"),
        Locator("disk", "p1"),
    ]
    assert found.notices == ()


def test_logical_partitions_are_found_along_the_chain() -> None:
    disk = at(
        200 * SECTOR,
        (0, table((0, 0x83, 1, 9), (0, 0x0F, 10, 190))),
        (SECTOR, toy(9 * SECTOR)),
        (10 * SECTOR, table((0, 0x83, 2, 20), (0, 5, 50, 60))),
        (12 * SECTOR, toy(20 * SECTOR)),
        (60 * SECTOR, table((0, 7, 5, 30))),
        (65 * SECTOR, toy(30 * SECTOR)),
    )

    found = search(disk, partitions.detect)

    assert [s for s in states(found) if s[1] == "open"] == [
        ("p1", "open", 1 * SECTOR, 9 * SECTOR),
        ("p5", "open", 12 * SECTOR, 20 * SECTOR),
        ("p9", "open", 65 * SECTOR, 30 * SECTOR),
    ]
    assert found.notices == ()


def test_a_looping_chain_is_entered_once() -> None:
    disk = at(
        100 * SECTOR,
        (0, table((0, 5, 10, 90))),
        (10 * SECTOR, table((0, 0x83, 1, 5), (0, 5, 20, 10))),
        (30 * SECTOR, table((0, 0x83, 1, 5), (0, 5, 0, 10))),
    )

    found = search(disk, partitions.detect)

    assert [v.id for v in found.volumes if v.id.startswith("p")] == ["p5", "p9"]
    assert ("loop", "") in kinds(found)


def test_an_endless_chain_is_bounded() -> None:
    pieces = [(n * 2 * SECTOR, table((0, 0x83, 1, 1), (0, 5, 2 * n, 2))) for n in range(1, 400)]
    disk = at(1000 * SECTOR, (0, table((0, 5, 2, 990))), *pieces)

    found = search(disk, partitions.detect)

    assert len([v for v in found.volumes if v.id.startswith("p")]) == mbr.MAX_LOGICAL
    assert ("limit", "") in kinds(found)


def test_a_chain_without_signature_or_beyond_the_end_says_so() -> None:
    without = search(at(100 * SECTOR, (0, table((0, 5, 10, 90)))), partitions.detect)
    beyond = search(at(100 * SECTOR, (0, table((0, 0x83, 1, 5), (0, 5, 500, 90)))), partitions.detect)

    assert ("damaged", "") in kinds(without)
    assert ("truncated", "") in kinds(beyond)


def test_a_partition_beyond_the_end_is_clipped_and_said_to_be_truncated() -> None:
    disk = at(50 * SECTOR, (0, table((0, 0x83, 10, 100), (0, 7, 200, 5))), (10 * SECTOR, toy(SECTOR)))

    found = search(disk, partitions.detect)

    assert ("p1", "open", 10 * SECTOR, 40 * SECTOR) in states(found)
    assert ("p2", "unrecognised", 200 * SECTOR, 0) in states(found)
    assert kinds(found) == [("truncated", "p1"), ("truncated", "p2")]


def test_overlapping_partitions_are_kept_and_doubted() -> None:
    disk = at(50 * SECTOR, (0, table((0, 7, 10, 20), (0, 7, 20, 20))), (10 * SECTOR, toy(SECTOR)))

    found = search(disk, partitions.detect)

    assert [v.id for v in found.volumes if v.id.startswith("p")] == ["p1", "p2"]
    assert "partitions overlap: p1 and p2" in [n.message for n in found.notices]


def test_a_boot_sector_with_text_for_a_table_yields_to_the_file_system() -> None:
    sector = at(SECTOR, (446, b"Remove disks or other media. Press any key to restart. 123456789"), (510, b"\x55\xaa"))
    disk = at(100 * SECTOR, (0, sector), (0, MAGIC))

    found = search(disk, partitions.detect)

    assert states(found) == [("", "open", 0, 100 * SECTOR)]
    assert found.notices == ()


def test_a_boot_sector_with_an_empty_table_is_a_bare_file_system() -> None:
    found = search(at(100 * SECTOR, (0, table()), (0, MAGIC)), partitions.detect)

    assert states(found) == [("", "open", 0, 100 * SECTOR)]


def test_an_unsound_table_yields_to_a_file_system_and_is_used_without_one() -> None:
    slots = table((0x33, 7, 5, 10), (0, 0x83, 20, 10))
    bare = search(at(100 * SECTOR, (0, slots), (0, MAGIC)), partitions.detect)
    disk = search(at(100 * SECTOR, (0, slots), (20 * SECTOR, toy(SECTOR))), partitions.detect)

    assert states(bare) == [("", "open", 0, 100 * SECTOR)]
    assert ("p2", "open", 20 * SECTOR, 10 * SECTOR) in states(disk)
    assert ("damaged", "") in kinds(disk)


def test_a_sound_table_goes_before_a_file_system_at_the_start() -> None:
    disk = at(100 * SECTOR, (0, table((0, 7, 20, 10))), (0, MAGIC), (20 * SECTOR, toy(SECTOR)))

    found = search(disk, partitions.detect)

    assert [v.id for v in found.volumes if v.state == "open"] == ["p1"]


def test_a_stale_table_over_a_file_system_shows_both() -> None:
    found = search(at(100 * SECTOR, (0, table((0, 7, 20, 10))), (0, MAGIC)), partitions.detect)

    assert [v.id for v in found.volumes] == ["", "u1", "p1", "u2"]
    assert found.volumes[0].file_systems[0].locator == Locator("disk")
    assert ("remark", "") in kinds(found)


def test_a_hybrid_disc_shows_its_disc_file_system_and_its_partitions() -> None:
    disk = at(100 * SECTOR, (0, table((0, 0xEF, 80, 10))), (0x8001, b"CD001"), (80 * SECTOR, toy(SECTOR)))

    found = search(disk, partitions.detect)

    assert [(v.id, len(v.file_systems)) for v in found.volumes if v.file_systems] == [("", 1), ("p1", 1)]


def test_gpt_partitions_carry_the_number_of_their_entry() -> None:
    disk = at(
        200 * SECTOR,
        (0, gpt(200, [(10, 29, "one"), None, (50, 69, "three")])),
        (10 * SECTOR, toy(SECTOR)),
        (50 * SECTOR, toy(SECTOR)),
    )

    found = search(disk, partitions.detect)

    assert [(v.id, v.offset, v.size) for v in found.volumes if v.state == "open"] == [
        ("p1", 10 * SECTOR, 20 * SECTOR),
        ("p3", 50 * SECTOR, 20 * SECTOR),
    ]
    assert next(v.description for v in found.volumes if v.id == "p3") == 'Basic data "three"'
    assert found.notices == ()


def test_gpt_with_sectors_of_4096_bytes() -> None:
    disk = gpt(40, [(5, 9, "large sectors")], size=4096)

    found = search(disk, partitions.detect)

    assert [(v.offset, v.size) for v in found.volumes if v.id == "p1"] == [(5 * 4096, 5 * 4096)]


@pytest.mark.parametrize("broken", [512 + 60, 1024 + 20], ids=["header", "entries"])
def test_the_backup_gpt_is_used_where_the_first_is_damaged(broken: int) -> None:
    disk = bytearray(gpt(200, [(10, 29, "one")]))
    disk[broken] ^= 0xFF

    found = search(bytes(disk), partitions.detect)

    assert [(v.offset, v.size) for v in found.volumes if v.id == "p1"] == [(10 * SECTOR, 20 * SECTOR)]
    assert "backup at the end is used" in found.notices[0].message
    assert found.notices[0].kind is NoticeKind.DAMAGED


def test_the_backup_gpt_is_found_where_the_first_is_gone() -> None:
    disk = bytearray(gpt(200, [(10, 29, "one")]))
    disk[: 3 * SECTOR] = bytes(3 * SECTOR)

    found = search(bytes(disk), partitions.detect)

    assert "p1" in [v.id for v in found.volumes]
    assert ("damaged", "") in kinds(found)


def test_two_damaged_gpt_headers_yield_to_a_file_system_and_are_used_without_one() -> None:
    disk = bytearray(gpt(200, [(10, 29, "one")]))
    disk[512 + 60] ^= 0xFF
    disk[199 * 512 + 60] ^= 0xFF
    alone = search(bytes(disk), partitions.detect)
    disk[: len(MAGIC)] = MAGIC
    over = search(bytes(disk), partitions.detect)

    assert "p1" in [v.id for v in alone.volumes]
    assert ("damaged", "") in kinds(alone)
    assert states(over) == [("", "open", 0, 200 * SECTOR)]


def test_absurd_gpt_entries_are_named_and_left_out() -> None:
    found = search(gpt(200, [(90, 10, "backwards"), (10, 29, "good")]), partitions.detect)

    assert [v.id for v in found.volumes if v.id.startswith("p")] == ["p2"]
    assert ("damaged", "") in kinds(found)


def test_partitions_that_only_the_mbr_beside_a_gpt_names_are_volumes_too() -> None:
    disk = bytearray(gpt(200, [(10, 29, "one")]))
    disk[:SECTOR] = table((0, 0xEE, 1, 9), (0, 7, 10, 20), (0, 0x0B, 100, 20))

    found = search(bytes(disk), partitions.detect)

    assert [v.id for v in found.volumes if v.state != "unallocated"] == ["p1", "mbr3"]
    assert any("hybrid" in n.message for n in found.notices)


def test_apple_partition_map() -> None:
    def entry(kind: bytes, first: int, count: int) -> bytes:
        return struct.pack(">2sHIII32s32s", b"PM", 0, 2, first, count, b"disk", kind).ljust(SECTOR, b"\0")

    disk = at(
        100 * SECTOR,
        (0, b"ER\x02\x00"),
        (512, entry(b"Apple_partition_map", 1, 9)),
        (1024, entry(b"Apple_HFS", 10, 40)),
        (10 * SECTOR, toy(SECTOR)),
    )

    found = search(disk, partitions.detect)

    assert [(v.id, v.offset, v.size) for v in found.volumes if v.state == "open"] == [("p2", 5120, 40 * SECTOR)]


def test_two_file_systems_in_one_place_are_both_kept() -> None:
    disk = at(100 * SECTOR, (0, table((0, 7, 20, 10))), (20 * SECTOR, MAGIC), (20 * SECTOR + 64, OTHER_MAGIC))

    found = search(disk, partitions.detect)
    systems = next(v.file_systems for v in found.volumes if v.id == "p1")

    assert [(fs.type, fs.locator.volume) for fs in systems] == [("memory", "p1"), ("folder", "p1~folder")]
    assert ("remark", "p1") in kinds(found)


def test_nesting_is_bounded() -> None:
    found = search(bytes(4096), nested, depth=5)

    assert found.volumes[-1].id == "m1/m1/m1/m1/m1"
    assert kinds(found) == [("limit", "m1/m1/m1/m1/m1")]


def test_the_number_of_volumes_is_bounded() -> None:
    parts = [(10 + n, 10 + n, f"part {n}") for n in range(100)]
    found = search(gpt(400, parts, table_first=200), partitions.detect, max_volumes=50)

    assert len(found.volumes) == 50
    assert ("limit", "") in kinds(found)


def test_what_cannot_be_read_is_said() -> None:
    disk = BadSource(at(100 * SECTOR, (0, table((0, 7, 20, 10)))), range(20 * SECTOR, 21 * SECTOR))

    found = search(disk, partitions.detect)

    assert ("unreadable", "p1") in kinds(found)


def test_search_is_repeatable() -> None:
    disk = gpt(200, [(10, 29, "one"), (40, 59, "two")])

    assert states(search(disk, partitions.detect)) == states(search(disk, partitions.detect))
    assert search(disk, partitions.detect).notices == search(disk, partitions.detect).notices


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes_end_in_volumes_inside_the_source(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([bytes(64 * SECTOR), gpt(64, [(10, 20, "one")]), at(64 * SECTOR, (0, table()))]))
    disk = bytearray(base)
    for place in data.draw(st.lists(st.integers(0, 4 * SECTOR - 1), max_size=60)):
        disk[place] = data.draw(st.integers(0, 255))

    found = search(bytes(disk), partitions.detect, lvm.detect)

    assert all(v.source is None or v.source.size == v.size for v in found.volumes)
    assert all(v.offset + v.size <= len(disk) for v in found.volumes if v.size)
    assert len({v.id for v in found.volumes}) == len(found.volumes)


VG = """
vg {{ id = "VG" seqno = {seqno} extent_size = 8  # 4 KiB
  physical_volumes {{
    pv0 {{ id = "{a}" pe_start = 128 }}
    pv1 {{ id = "{b}" pe_start = 128 }}
  }}
  logical_volumes {{
    striped {{ status = ["READ", "VISIBLE"] segment_count = 1
      segment1 {{ start_extent = 0 extent_count = 4 type = "striped" stripe_count = 2 stripe_size = 2
                 stripes = [ "pv0", 0, "pv1", 0 ] }} }}
    joined {{ status = ["VISIBLE"] segment_count = 2
      segment1 {{ start_extent = 0 extent_count = 1 type = "striped" stripes = [ "pv1", 2 ] }}
      segment2 {{ start_extent = 1 extent_count = 1 type = "striped" stripes = [ "pv0", 2 ] }} }}
    thin {{ status = ["VISIBLE"] segment_count = 1
      segment1 {{ start_extent = 0 extent_count = 1 type = "thin" }} }}
    hidden {{ status = [] segment_count = 0 }}
  }}
}}
"""


def group(a: str = "A" * 32, b: str = "B" * 32, seqno: int = 3) -> str:
    return VG.format(a=f"{a[:6]}-{a[6:]}", b=f"{b[:6]}-{b[6:]}", seqno=seqno)


def two_disks(*, second: bool = True) -> bytes:
    """A partitioned disk with two physical volumes of one group; extents are filled with 'a' and 'b'."""
    text = group()
    first_data = b"".join(b"a%03d" % n * 256 for n in range(16)).ljust(12 << 10, b"a")
    second_data = b"".join(b"b%03d" % n * 256 for n in range(16)).ljust(12 << 10, b"b")
    one, two = physical_volume("A" * 32, text, first_data), physical_volume("B" * 32, text, second_data)
    count = -(-len(one) // SECTOR)
    slots = table((0, 0x8E, 1, count), (0, 0x8E, 1 + count, count))
    pieces = [(0, slots), (SECTOR, one)] + ([(SECTOR * (1 + count), two)] if second else [])
    return at(SECTOR * (1 + 2 * count), *pieces)


def test_logical_volumes_over_two_partitions() -> None:
    found = search(two_disks(), lvm.detect, partitions.detect)
    volumes = {v.id: v for v in found.volumes}
    striped, joined = volumes["p1/lv-striped"].source, volumes["p1/lv-joined"].source

    assert 'of group "vg"' in volumes["p1"].description
    assert striped is not None
    assert striped.read_at(0, 4096) == b"a000" * 256 + b"b000" * 256 + b"a001" * 256 + b"b001" * 256
    assert striped.read_at(1020, 8) == b"a000b000"
    assert joined is not None
    assert joined.read_at(4092, 8) == b"b011a008"
    assert volumes["p1/lv-thin"].state == "unrecognised"
    assert ("unsupported", "p1/lv-thin") in kinds(found)
    assert "p1/lv-hidden" not in volumes


def test_a_missing_physical_volume_leaves_the_rest_readable() -> None:
    found = search(two_disks(second=False), lvm.detect, partitions.detect)
    joined = next(v.source for v in found.volumes if v.id == "p1/lv-joined")

    assert ("unreadable", "p1/lv-joined") in kinds(found)
    assert joined is not None
    assert joined.read_at(4096, 4) == b"a008"
    with pytest.raises(UnreadableBytes, match="pv1"):
        joined.read_at(0, 4)


def test_a_logical_volume_in_one_piece_is_a_part_of_its_disk() -> None:
    text = group().replace('stripes = [ "pv0", 0, "pv1", 0 ]', 'stripes = [ "pv0", 0 ]')
    found = search(physical_volume("A" * 32, text, toy(16 << 10)), lvm.detect)
    volume = next(v for v in found.volumes if v.id == "lv-striped")

    assert isinstance(volume.source, Slice)
    assert volume.file_systems[0].locator == Locator("disk", "lv-striped")


@pytest.mark.parametrize(
    "change",
    [
        ("extent_size = 8", "extent_size = 0"),
        ("segment_count = 1", "segment_count = 999999999"),
        ("stripe_size = 2", "stripe_size = 0"),
        ('"pv0", 0, "pv1", 0', '"pv9", 0'),
        ("extent_count = 4", "extent_count = -4"),
        ("logical_volumes {", "logical_volumes {{"),
        ("physical_volumes {", "physical_volumes { x { " * 200),
    ],
)
def test_absurd_lvm_metadata_end_in_a_notice(change: tuple[str, str]) -> None:
    found = search(physical_volume("A" * 32, group().replace(*change), bytes(16 << 10)), lvm.detect)

    assert {"damaged", "unsupported"} & {kind for kind, _ in kinds(found)}


def test_damaged_lvm_text_is_not_believed() -> None:
    disk = bytearray(physical_volume("A" * 32, group(), bytes(16 << 10)))
    disk[4096 + 512 + 100] ^= 1

    found = search(bytes(disk), lvm.detect)

    assert [v.id for v in found.volumes] == [""]
    assert kinds(found) == [("damaged", "")]


def test_hostile_names_of_logical_volumes_stay_one_part_of_an_id() -> None:
    text = group().replace("striped {", "../../etc {", 1)
    found = search(physical_volume("A" * 32, text, bytes(16 << 10)), lvm.detect)

    assert "lv-.._.._etc" in [v.id for v in found.volumes]


def test_lvm_text_grammar() -> None:
    assert parse('a { b = "q\\"x" c = [1, "two"] } # comment') == {"a": {"b": 'q"x', "c": [1, "two"]}}
    for broken in ("a {", "}", "a = [", "a = [[1]]", "a b", "a = ", "\0"):
        with pytest.raises(GrammarError):
            parse(broken)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (bytes(1 << 20), NoticeKind.REMARK, "empty"),
        (b"text" * 100_000, NoticeKind.UNSUPPORTED, "no file system recognised, begins with 74 65 78 74"),
        (at(1 << 20, (3, b"NTFS    ")), NoticeKind.DAMAGED, "a boot sector of NTFS"),
        (at(1 << 20, (4086, b"SWAPSPACE2")), NoticeKind.NOT_EXAMINED, "swap"),
        (at(1 << 20, (0x10040, b"_BHRfS_M")), NoticeKind.UNSUPPORTED, "btrfs"),
        (at(1 << 20, (0x1000, b"\xfc\x4e\x2b\xa9")), NoticeKind.UNSUPPORTED, "RAID"),
    ],
)
def test_unrecognised_volumes_are_described(data: bytes, kind: NoticeKind, words: str) -> None:
    found = look(MemorySource(data), Locator("disk", "p1"))

    assert found.kind is kind
    assert words in found.message


def test_high_entropy_is_worded_as_may_be_encrypted() -> None:
    noise = hashlib.shake_128(b"seed").digest(1 << 20)
    found = look(MemorySource(noise), Locator("disk", "p1"))

    assert found.kind is NoticeKind.UNSUPPORTED
    assert found.message == "no structure recognised, high entropy: may be encrypted"
    assert entropy(noise) > 7.99


class Claiming(ByteSource):
    """A size without bytes: nothing may be read that costs as much as the size says."""

    def __init__(self, size: int) -> None:
        self.size, self.read = size, 0

    def read_at(self, offset: int, length: int) -> bytes:
        step = max(0, min(length, self.size - offset))
        self.read += step
        return bytes(step)


def test_looking_at_a_huge_unknown_volume_is_cheap() -> None:
    source = Claiming(16 << 40)

    found = search(source, lvm.detect, partitions.detect)

    assert kinds(found) == [("remark", "")]
    assert source.read < 2 << 20


def test_options_reach_the_detectors() -> None:
    seen: list[OpenOptions] = []
    options = replace(OpenOptions(), shadow_copies=True)

    def spy(_source: ByteSource, _locator: Locator, given: OpenOptions) -> None:
        seen.append(given)

    search(bytes(4096), spy, options=options)

    assert seen == [options]
