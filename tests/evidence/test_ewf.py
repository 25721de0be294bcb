"""EWF-E01: what is read is what was written, and what cannot be vouched for is never returned."""

import errno
import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes import damage
from recipes import ewf as recipe

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence import files
from triage.evidence.containers import Container, open_container
from triage.evidence.entry import Keys
from triage.evidence.ewf import verify
from triage.evidence.ewf_set import extension_number
from triage.evidence.ewf_tables import find_overflow
from triage.evidence.integrity import verify_media
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

CHUNK = 4096


def summed(data: bytes) -> bytes:
    return data + struct.pack("<I", zlib.adler32(data))


class Writer:
    """Lays down EWF-E01 segments with everything adjustable that `recipes.ewf` fixes."""

    def __init__(self, media: bytes, *, sector: int = 512, sectors: int = 8, identifier: bytes = bytes(16)) -> None:
        self.media, self.sector, self.sectors, self.identifier = media, sector, sectors, identifier
        step = sector * sectors
        self.chunks = [media[at : at + step] for at in range(0, len(media), step)]

    def volume(self) -> bytes:
        counts = (1, len(self.chunks), self.sectors, self.sector, len(self.media) // self.sector)
        return summed((struct.pack("<BxxxIIIQ", *counts).ljust(64, b"\0") + self.identifier).ljust(1048, b"\0"))

    @staticmethod
    def section(out: bytearray, kind: str, body: bytes = b"", *, last: bool = False) -> int:
        at = len(out)
        head = struct.pack(
            "<16sQQ40x", kind.encode(), at if last else at + 76 + len(body), 0 if last else 76 + len(body)
        )
        out += summed(head) + body
        return at

    def table(self, out: bytearray, first: int, count: int, deflated: Callable[[int], bool]) -> None:
        base, entries, data = len(out), [], bytearray()
        for number in range(first, first + count):
            stored = zlib.compress(self.chunks[number]) if deflated(number) else summed(self.chunks[number])
            entries.append(76 + len(data) | deflated(number) << 31)
            data += stored
        self.section(out, "sectors", bytes(data))
        body = summed(struct.pack("<IxxxxQxxxx", count, base)) + summed(struct.pack(f"<{count}I", *entries))
        self.section(out, "table", body)
        self.section(out, "table2", body)

    def segments(
        self,
        per_table: int = 16,
        per_segment: int = 1 << 30,
        deflated: Callable[[int], bool] = lambda number: number % 3 > 0,
    ) -> list[bytes]:
        total, out, number = len(self.chunks), [], 0
        while number < total or not out:
            segment = bytearray(recipe.SIGNATURE + struct.pack("<BHH", 1, len(out) + 1, 0))
            self.section(segment, "data" if out else "volume", self.volume())
            stop = min(total, number + per_segment)
            while number < stop:
                count = min(per_table, stop - number)
                self.table(segment, number, count, deflated)
                number += count
            if number == total:
                self.section(segment, "hash", summed(hashlib.md5(self.media).digest() + bytes(16)))
            self.section(segment, "done" if number == total else "next", last=True)
            out.append(bytes(segment))
        return out


def extension(number: int) -> str:
    if number < 100:
        return f"E{number:02d}"
    return "E" + "".join(chr(65 + part) for part in divmod(number - 100, 26))


def save(folder: Path, segments: Sequence[bytes], name: str = "disk") -> Path:
    for number, segment in enumerate(segments, 1):
        (folder / f"{name}.{extension(number)}").write_bytes(segment)
    return folder / f"{name}.E01"


def pattern(size: int, seed: int = 7, block: int = CHUNK) -> bytes:
    """Blocks of which every third cannot be compressed."""
    generator = random.Random(seed)
    parts = [generator.randbytes(block) if n % 3 == 0 else bytes([n % 251]) * block for n in range(-(-size // block))]
    return b"".join(parts)[:size]


def opened(path: Path) -> Container:
    return open_container(path, Keys())


def kinds(container: Container) -> set[NoticeKind]:
    return {kind for kind, _ in container.notices}


def said(container: Container) -> str:
    return "\n".join(message for _, message in container.notices)


def lost(source: ByteSource, offset: int, length: int = 1) -> tuple[int, int]:
    with pytest.raises(UnreadableBytes) as caught:
        source.read_at(offset, length)
    return caught.value.offset, caught.value.length


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_read_equals_that_slice_of_the_media(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    sector, sectors = data.draw(st.sampled_from([(512, 1), (512, 8), (512, 64), (4096, 2), (2048, 16)]))
    media = pattern(data.draw(st.integers(1, 40)) * sector + data.draw(st.sampled_from([0, 0, 1, sector - 1])))
    writer = Writer(media, sector=sector, sectors=sectors)
    segments = writer.segments(data.draw(st.integers(1, 20)), data.draw(st.integers(1, 30)))

    source = opened(save(tmp_path_factory.mktemp("set"), segments)).source

    assert source.size == len(media)
    for _ in range(12):
        offset, length = data.draw(st.integers(0, len(media) + 10)), data.draw(st.integers(0, len(media) + 10))
        assert source.read_at(offset, length) == media[offset : offset + length]


def test_a_long_read_passes_by_the_cache(tmp_path: Path) -> None:
    media = pattern(CHUNK * 200)
    source = opened(save(tmp_path, Writer(media).segments())).source

    assert source.read_at(100, CHUNK * 150) == media[100 : 100 + CHUNK * 150]
    assert len(source._cache) == 2  # type: ignore[attr-defined]


def test_neighbouring_chunks_are_fetched_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media = pattern(CHUNK * 200)
    source = opened(save(tmp_path, Writer(media).segments(per_table=200))).source
    lengths: list[int] = []
    once = files._read_once

    def counting(descriptor: int, offset: int, length: int) -> bytes:
        lengths.append(length)
        return once(descriptor, offset, length)

    monkeypatch.setattr(files, "_read_once", counting)

    assert source.read_at(CHUNK * 5, CHUNK * 60) == media[CHUNK * 5 : CHUNK * 65]
    assert len([length for length in lengths if length > CHUNK]) <= 3
    lengths.clear()
    assert source.read_at(CHUNK * 150 + 9, 50) == media[CHUNK * 150 + 9 :][:50]
    assert max(lengths) <= CHUNK + 4


def test_a_bad_sector_of_the_image_file_costs_its_chunk_and_no_neighbour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = pattern(CHUNK * 40)
    segments = Writer(media).segments(per_table=40, deflated=lambda _: False)
    bad = recipe.sections(segments[0])["sectors"] + 76 + 20 * (CHUNK + 4) + 2000
    source = opened(save(tmp_path, segments)).source
    once = files._read_once

    def failing(descriptor: int, offset: int, length: int) -> bytes:
        if offset <= bad < offset + length:
            raise OSError(errno.EIO, "Input/output error")
        return once(descriptor, offset, length)

    monkeypatch.setattr(files, "_read_once", failing)

    assert lost(source, 0, len(media)) == (CHUNK * 20, CHUNK)
    with pytest.raises(UnreadableBytes, match=r"chunk 20 of 40 is damaged: disk\.E01: bytes \d+ to \d+ cannot be read"):
        source.read_at(CHUNK * 20, 1)
    assert source.read_at(0, CHUNK * 20) == media[: CHUNK * 20]
    assert source.read_at(CHUNK * 21, CHUNK * 19) == media[CHUNK * 21 :]


def test_bytes_behind_the_last_whole_sector_are_read_and_match_the_stored_digest(tmp_path: Path) -> None:
    for size in (CHUNK * 3 + 700, CHUNK * 3 + 100):  # within a chunk, and in a chunk of its own
        media = pattern(size)
        container = opened(save(tmp_path, Writer(media).segments()))

        assert container.source.read_at(0, size + 1) == media
        assert verify_media(container).verified
        assert kinds(container) == {NoticeKind.REMARK}


def test_facts_and_digests_of_the_header_are_told(tmp_path: Path) -> None:
    media = pattern(CHUNK * 8)
    about = recipe.Acquisition(case_number="C-1", evidence_number="E-2", description="drawn", examiner="nobody")

    container = opened(save(tmp_path, recipe.write(media, about)))

    assert container.facts["case_number"] == "C-1"
    assert container.facts["examiner"] == "nobody"
    assert container.facts["acquisition_date"] == "2026-03-02T08:15:00Z (stored: 1772439300)"
    assert container.stored_digests == {"md5": hashlib.md5(media).hexdigest(), "sha1": hashlib.sha1(media).hexdigest()}
    assert verify_media(container, ["sha256"]).media.digests["sha256"] == hashlib.sha256(media).hexdigest()
    assert container.notices == ()


@pytest.mark.parametrize("deflated", [True, False])
def test_a_flipped_bit_loses_one_chunk_by_name_and_nothing_else(tmp_path: Path, deflated: bool) -> None:
    media = pattern(recipe.CHUNK * 6, block=recipe.CHUNK)
    segments = recipe.write(media, recipe.Acquisition(case_number="", evidence_number="", description="", examiner=""))
    number = damage.first_stored_chunk(segments, deflated=deflated)
    container = opened(save(tmp_path, damage.flip_in_chunk(segments, number)))
    start = number * recipe.CHUNK

    assert lost(container.source, start + 10) == (start, recipe.CHUNK)
    with pytest.raises(UnreadableBytes, match=f"chunk {number} of 6 is damaged"):
        container.source.read_at(0, len(media))
    result = verify_media(container)
    assert result.media.unreadable == ((start, recipe.CHUNK),)
    assert result.mismatched == ("md5", "sha1")
    zeroed = media[:start] + bytes(recipe.CHUNK) + media[start + recipe.CHUNK :]
    assert result.media.digests["md5"] == hashlib.md5(zeroed).hexdigest()


def test_a_damaged_table_is_replaced_by_its_copy(tmp_path: Path) -> None:
    media = pattern(CHUNK * 8)
    (segment,) = Writer(media).segments()
    at = recipe.sections(segment)["table"] + 76 + 24
    container = opened(save(tmp_path, [damage.flip(segment, at + 5)]))

    assert container.source.read_at(0, len(media)) == media
    assert "its copy is used" in said(container)


@pytest.mark.parametrize("offset", [2, 24 + 5], ids=["header", "entries"])
def test_chunks_are_found_without_any_table(tmp_path: Path, offset: int) -> None:
    media = pattern(CHUNK * 40)
    (segment,) = Writer(media).segments(per_table=20)
    broken = bytearray(segment)
    at = 13
    while (kind := bytes(broken[at : at + 16]).rstrip(b"\0")) != b"done":
        if kind in (b"table", b"table2"):
            broken[at + 76 + offset] ^= 0x40
        at = struct.unpack_from("<Q", broken, at + 16)[0]
    container = opened(save(tmp_path, [bytes(broken)]))

    assert container.source.read_at(0, len(media)) == media
    assert kinds(container) == {NoticeKind.DAMAGED}


def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    media = pattern(CHUNK * 60)
    (segment,) = Writer(media).segments(per_table=16)
    container = opened(save(tmp_path, [segment[: len(segment) // 2]]))
    source = container.source
    present = source.chunks_present  # type: ignore[attr-defined]

    assert 16 < present < 60
    assert source.size == len(media)
    assert source.read_at(0, present * CHUNK) == media[: present * CHUNK]
    assert lost(source, present * CHUNK) == (present * CHUNK, (60 - present) * CHUNK)
    assert NoticeKind.TRUNCATED in kinds(container)
    assert f"{present} of 60 chunks are present" in said(container)


def test_a_missing_segment_leaves_all_others_in_place(tmp_path: Path) -> None:
    media = pattern(CHUNK * 50)
    path = save(tmp_path, Writer(media).segments(per_segment=10))
    (tmp_path / "disk.E03").unlink()
    container = opened(path)

    assert container.source.read_at(0, CHUNK * 20) == media[: CHUNK * 20]
    assert container.source.read_at(CHUNK * 30, CHUNK * 20) == media[CHUNK * 30 :]
    assert lost(container.source, CHUNK * 19, CHUNK * 3) == (CHUNK * 20, CHUNK * 10)
    assert "segment 3 is missing" in said(container)
    assert "40 of 50 chunks are present" in said(container)


def test_a_missing_end_is_told(tmp_path: Path) -> None:
    media = pattern(CHUNK * 20)
    path = save(tmp_path, Writer(media).segments(per_segment=10)[:1])
    container = opened(path)

    assert "goes on after disk.E01" in said(container)
    assert container.source.read_at(0, CHUNK * 10) == media[: CHUNK * 10]


def test_a_later_segment_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    save(tmp_path, Writer(pattern(CHUNK * 20)).segments(per_segment=10))

    with pytest.raises(EvidenceError, match=r"segment 2 of an EWF set; open the first, disk\.E01"):
        opened(tmp_path / "disk.E02")


def test_a_segment_of_another_image_under_the_right_name_is_left_out(tmp_path: Path) -> None:
    ours = Writer(pattern(CHUNK * 20), identifier=b"a" * 16).segments(per_segment=10)
    other = Writer(pattern(CHUNK * 20, seed=9), identifier=b"b" * 16).segments(per_segment=10)
    container = opened(save(tmp_path, [ours[0], other[1]]))

    assert "belongs to another image" in said(container)
    assert lost(container.source, CHUNK * 15) == (CHUNK * 10, CHUNK * 10)


def test_more_than_ninety_nine_segments_are_one_set(tmp_path: Path) -> None:
    media = pattern(CHUNK * 130)
    (tmp_path / "disk.raw").write_bytes(b"no segment")
    container = opened(save(tmp_path, Writer(media).segments(per_segment=1)))

    assert len(container.files) == 130
    assert container.files[100].name == "disk.EAB"
    assert container.source.read_at(0, len(media)) == media
    assert container.notices == ()


@pytest.mark.parametrize(
    ("suffix", "number"),
    [("E01", 1), ("e99", 99), ("EAA", 100), ("EZZ", 775), ("FAA", 776), ("ZZZ", 14971), ("DAA", None), ("F01", None)],
)
def test_segment_numbers_follow_the_naming_of_encase(suffix: str, number: int | None) -> None:
    assert extension_number(suffix, "E01") == number


def test_offsets_above_31_bits_in_one_table_are_read_as_encase_6_7_wrote_them(tmp_path: Path) -> None:
    """A sparse segment whose chunk data spans more than 2 GiB; the third chunk has a full 32-bit offset."""
    media = pattern(CHUNK * 3)
    chunks = [media[at : at + CHUNK] for at in range(0, len(media), CHUNK)]
    writer = Writer(media)
    head = bytearray(recipe.SIGNATURE + struct.pack("<BHH", 1, 1, 0))
    Writer.section(head, "volume", writer.volume())
    base = len(head)
    starts = [76, 0x7FFF_F000, 0x8000_8000]
    end = base + starts[2] + CHUNK + 4
    head += summed(struct.pack("<16sQQ40x", b"sectors", end, end - base))
    tail = bytearray()
    entries = [starts[0], starts[1], starts[2]]
    table = summed(struct.pack("<IxxxxQxxxx", 3, base)) + summed(struct.pack("<3I", *entries))
    for kind in ("table", "table2"):
        at = end + len(tail)
        tail += summed(struct.pack("<16sQQ40x", kind.encode(), at + 76 + len(table), 76 + len(table))) + table
    tail += summed(struct.pack("<16sQQ40x", b"done", end + len(tail), 0))
    path = tmp_path / "disk.E01"
    with path.open("wb") as file:
        file.write(head)
        for start, chunk in zip(starts, chunks, strict=True):
            file.seek(base + start)
            file.write(summed(chunk))
        file.write(tail)

    container = opened(path)

    assert container.source.read_at(0, len(media)) == media
    assert container.notices == ()


def test_the_overflow_is_where_31_bits_fall() -> None:
    assert find_overflow([10, 0x8000_0020, 0x7FFF_FFF0, 0x8000_0100, 0x8000_0200]) == 3
    assert find_overflow([10, 0x8000_0020, 40]) == 3


def test_sectors_that_could_not_be_acquired_are_told(tmp_path: Path) -> None:
    (segment,) = Writer(pattern(CHUNK * 4)).segments()
    out = bytearray(segment[:-76])
    body = summed(struct.pack("<I", 2).ljust(516, b"\0")) + summed(struct.pack("<4I", 3, 2, 30, 1))
    Writer.section(out, "error2", body)
    Writer.section(out, "done", last=True)
    container = opened(save(tmp_path, [bytes(out)]))

    assert kinds(container) == {NoticeKind.UNREADABLE}
    assert "3 sectors could not be read when the image was acquired" in said(container)
    assert "3+2, 30+1" in said(container)


def test_a_size_that_contradicts_the_next_offset_is_told(tmp_path: Path) -> None:
    (segment,) = Writer(pattern(CHUNK * 4)).segments()
    out = bytearray(segment)
    at = recipe.sections(segment)["hash"]
    struct.pack_into("<Q", out, at + 24, 99)
    struct.pack_into("<I", out, at + 72, zlib.adler32(out[at : at + 72]))

    assert "do not agree" in said(opened(save(tmp_path, [bytes(out)])))


@pytest.mark.parametrize(
    "breaker",
    [
        damage.absurd_chunk_count,
        damage.no_sectors_in_a_chunk,
        damage.absurd_media_size,
        damage.absurd_table,
        damage.looping_sections,
    ],
)
def test_absurd_structures_end_in_an_error_or_a_notice(tmp_path: Path, breaker: Callable[[bytes], bytes]) -> None:
    about = recipe.Acquisition(case_number="", evidence_number="", description="", examiner="")
    media = pattern(recipe.CHUNK * 4)
    (segment,) = recipe.write(media, about)
    path = save(tmp_path, [breaker(segment)])

    try:
        container = opened(path)
    except EvidenceError:
        return
    assert kinds(container) & {NoticeKind.DAMAGED, NoticeKind.TRUNCATED, NoticeKind.LOOP}
    assert read_what_is_there(container.source) <= {media[at : at + 512] for at in range(0, len(media), 512)}


def read_what_is_there(source: ByteSource) -> set[bytes]:
    found: set[bytes] = set()
    for at in range(0, min(source.size, 1 << 20), 512):
        try:
            found.add(source.read_at(at, 512))
        except UnreadableBytes:
            continue
    return found


def test_random_damage_never_yields_wrong_bytes_or_another_kind_of_error(tmp_path: Path) -> None:
    about = recipe.Acquisition(case_number="1", evidence_number="2", description="d", examiner="e")
    media = pattern(recipe.CHUNK * 5, block=recipe.CHUNK)
    (segment,) = recipe.write(media, about)
    generator = random.Random(20)
    path = tmp_path / "disk.E01"
    # Half of the damage goes to the structures, which are a small part of the file.
    chunk_data = recipe.sections(segment)["sectors"] + 76, recipe.sections(segment)["table"]
    structures = [at for at in range(len(segment)) if not chunk_data[0] <= at < chunk_data[1]]
    refused = 0
    for turn in range(200):
        broken = bytearray(segment)
        for _ in range(generator.randrange(1, 6)):
            at = generator.choice(structures) if turn % 2 else generator.randrange(len(segment))
            broken[at] ^= 1 << generator.randrange(8)
        path.write_bytes(broken)
        try:
            container = opened(path)
        except EvidenceError:
            refused += 1
            continue
        for at in range(0, min(container.source.size, len(media)), 8192):
            try:
                data = container.source.read_at(at, 8192)
            except UnreadableBytes:
                continue
            # Without its signature it is raw media, and its name says that it should not be.
            sound = media[at : at + 8192][: len(data)] if container.type == "ewf" else data
            assert data == sound, f"turn {turn}: wrong bytes at {at}"
            assert container.type == "ewf" or kinds(container) == {NoticeKind.DAMAGED}
        container.source.close()
    assert refused < 100


@pytest.mark.parametrize(
    ("magic", "said_of_it"), [(b"dvf\t\r\n\xff\0", "delta"), (b"ADCRYPT\0", "encrypted"), (b"ADSEGMENTEDFILE\0", "AD1")]
)
def test_relatives_without_readable_media_are_refused_by_name(tmp_path: Path, magic: bytes, said_of_it: str) -> None:
    path = tmp_path / "x.E01"
    path.write_bytes(magic + bytes(5000))

    with pytest.raises(UnsupportedEvidence, match=said_of_it):
        opened(path)


def test_verify_tells_progress_and_digests(tmp_path: Path) -> None:
    media = pattern(CHUNK * 20)
    source = opened(save(tmp_path, Writer(media).segments())).source
    seen: list[int] = []

    result = verify(source, seen.append)  # type: ignore[arg-type]

    assert result.digests == {"md5": hashlib.md5(media).hexdigest(), "sha1": hashlib.sha1(media).hexdigest()}
    assert seen[-1] == len(media)
