"""Files hidden in bytes are found with exactly the offset and length that the recipe gave them."""

import random
import struct

import pytest

from triage.evidence.carving.carve import carve
from triage.evidence.carving.found import Carved, CarveLimits, Unexamined
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.notices import NoticeKind

SECTOR = 512


def found(data, **options):
    return [(each.offset, each.length, each.complete) for each in carve(MemorySource(data), **options)]


def fill(kind, length, seed=0):
    return bytes(length) if kind == "zeros" else random.Random(f"{kind}{length}{seed}").randbytes(length)


def padded(data, kind="zeros"):
    return data + fill(kind, -len(data) % SECTOR)


@pytest.mark.parametrize("around", ["zeros", "noise"])
def test_every_format_is_found_with_its_exact_length(media, around):
    for name, sample in media.items():
        image = fill(around, 3 * SECTOR) + padded(sample.data, around) + fill(around, 9000)

        results = list(carve(MemorySource(image)))

        assert [(3 * SECTOR, len(sample.data), sample.mime, sample.ends)] == [each[:4] for each in results], name
        assert sample.checked == results[0].checked, name


def test_files_at_the_very_end_of_the_source_are_found_whole(media):
    for name, sample in media.items():
        assert [(SECTOR, len(sample.data), sample.ends)] == found(bytes(SECTOR) + sample.data), name


@pytest.mark.parametrize("around", ["zeros", "noise"])
def test_two_hundred_planted_files_are_found_and_nothing_else(media, around):
    r = random.Random(12)
    parts, expected, at = [], [], 0
    for number in range(200):
        sample = media[r.choice(sorted(media))]
        gap = fill(around, SECTOR * r.randrange(8), number)
        at += len(gap)
        expected.append((at, len(sample.data), sample.ends))
        parts += [gap, padded(sample.data, around)]
        at += len(parts[-1])

    assert expected == found(b"".join(parts))


def test_files_without_a_gap_between_them_are_found(media):
    samples = [sample for sample in media.values() if sample.ends]
    at, expected = 0, []
    for sample in samples:
        expected.append((at, len(sample.data), True))
        at += len(sample.data)

    assert expected == found(b"".join(sample.data for sample in samples))


def test_files_at_odd_offsets_are_found_when_every_offset_is_looked_at(media):
    for name, sample in media.items():
        if sample.mime == "video/mp2t":
            continue  # its header says too little
        image = bytes(777) + sample.data + bytes(3001)

        assert (777, len(sample.data), sample.ends) in found(image, step=1), name
        assert found(image) == [], name


@pytest.mark.parametrize("around", ["zeros", "noise"])
def test_no_cut_off_file_of_a_format_with_structure_throughout_is_complete(media, around):
    for name, sample in media.items():
        if not sample.checked or name == "jpeg mpf":
            continue
        for share in (0.35, 0.6, 0.9):
            cut = int(len(sample.data) * share) // SECTOR * SECTOR
            image = sample.data[:cut] + fill(around, 20_000)
            results = found(image)

            assert not [each for each in results if each[2]], (name, share)
            assert all(offset == 0 for offset, _, _ in results), (name, share)


def test_a_file_cut_off_before_zeros_ends_at_its_last_byte(media):
    for name in ("jpeg", "png", "gif", "mp4", "mkv", "avi", "webp", "heic", "mpg"):
        if name not in media:
            continue
        data = media[name].data
        cut = len(data) // 2 // SECTOR * SECTOR
        image = data[:cut] + bytes(50_000)
        [(offset, length, complete)] = found(image)

        assert (offset, complete) == (0, False), name
        # Formats in which the sector of the break lies in a longer unit end with the unit before or with the last byte.
        assert length <= len(data), name
        if name in ("jpeg", "png", "heic", "webp"):
            assert len(data[:cut].rstrip(b"\0")) == length, name


def test_a_file_that_overwrote_the_rest_of_another_is_found(media):
    for first in media.values():
        cut = max(SECTOR, len(first.data) // 2 // SECTOR * SECTOR)
        whole = media["jpeg"].data
        image = first.data[:cut] + padded(whole) + bytes(len(first.data))

        assert (cut, len(whole), True) in found(image)


def test_a_thumbnail_belongs_to_its_picture_and_is_found_alone_where_that_is_broken(draw, save):
    thumbnail = save(draw(5, 80, 64), "JPEG")
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail
    parent = save(draw(6, 320, 240), "JPEG", exif=exif)
    place = parent.index(thumbnail, 2)
    cut = len(parent) * 3 // 4 // SECTOR * SECTOR

    assert place % SECTOR
    assert [(0, len(parent), True)] == found(padded(parent))
    assert [(0, cut, False), (place, len(thumbnail), True)] == found(parent[:cut] + bytes(20_000))


def test_pictures_that_an_mpf_index_names_belong_to_the_first(media):
    data = media["jpeg mpf"].data

    [result] = carve(MemorySource(padded(data)))

    assert len(data) == result.length
    assert "2 of 2 further pictures" in result.reason


def test_a_movie_whose_media_data_are_overwritten_ends_at_the_first_wrong_sample(media):
    data = bytearray(media["mp4"].data)
    broken = len(data) * 2 // 3 // SECTOR * SECTOR
    data[broken : len(data)] = fill("noise", len(data) - broken)

    [result] = carve(MemorySource(bytes(data)))

    assert not result.complete
    assert "sample" in result.reason
    # The sample in which the overwritten part begins starts as it should.
    assert 0 < result.length < broken + 1000


def test_restart_markers_out_of_turn_break_a_picture(media):
    data = media["jpeg restarts"].data
    second = data.index(b"\xff\xd1")

    [result] = carve(MemorySource(data[:second] + data[second + 2 :]))

    assert (False, second) != (result.complete, 0)
    assert "restart marker out of turn" in result.reason


class Scratched(MemorySource):
    """A source of which some sectors cannot be read."""

    def __init__(self, data, bad):
        super().__init__(data)
        self._bad = sorted(bad)

    def read_at(self, offset, length):
        for sector in self._bad:
            if offset < sector + SECTOR and sector < offset + length:
                raise UnreadableBytes("bad sector", sector, SECTOR)
        return super().read_at(offset, length)


def test_bad_sectors_are_told_and_what_lies_around_them_is_found(media):
    jpeg = media["jpeg"].data
    image = padded(jpeg) + bytes(2 * SECTOR) + padded(jpeg)
    second = len(padded(jpeg)) + 2 * SECTOR
    bad = [second - 2 * SECTOR, second - SECTOR]

    results = list(carve(Scratched(image, bad)))

    assert [Unexamined(bad[0], 2 * SECTOR, NoticeKind.UNREADABLE, "bad sector")] == [
        each for each in results if isinstance(each, Unexamined)
    ]
    assert [(0, len(jpeg), True), (second, len(jpeg), True)] == [
        each[:2] + each[3:4] for each in results if len(each) > 4
    ]


def test_a_picture_with_a_bad_sector_ends_there(media):
    jpeg = media["jpeg"].data
    bad = len(jpeg) // 2 // SECTOR * SECTOR

    first = next(each for each in carve(Scratched(padded(jpeg), [bad])) if isinstance(each, Carved))

    assert (0, bad, False) == (first.offset, first.length, first.complete)
    assert "bad sector" in first.reason


class Counted(ByteSource):
    """One block over and over, counting what is read of it."""

    def __init__(self, block, size):
        self._block = block
        self.size = size
        self.read = 0

    def read_at(self, offset, length):
        length = max(0, min(length, self.size - offset))
        self.read += length
        start = offset % len(self._block)
        return (self._block * (length // len(self._block) + 2))[start : start + length]


HOSTILE = {
    "pictures without an end": b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x0b\x08\1\0\1\0\1\1\x11\0\xff\xda\0\x08\1\1\0\0?\0",
    "chunks of 2 GiB": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(13) + b"\xa8\x4b\x8a\x48\x7f\xff\xff\xffIDAT",
    "directories in a circle": struct.pack("<4sIHHHIIHHIII", b"II*\0", 8, 2, 330, 4, 64, 8, 273, 4, 0xFFFFF, 0, 8),
    "boxes of no length": b"\0\0\0\x14ftypisom\0\0\0\0isom\0\0\0\0mdat",
    "boxes of great length": b"\0\0\0\x14ftypisom\0\0\0\0isom\0\0\0\1mdat" + struct.pack(">Q", 1 << 62),
    "small boxes": b"\0\0\0\x14ftypisom\0\0\0\0isom" + b"\0\0\0\x08free" * 61,
    "elements in each other": b"\x1a\x45\xdf\xa3\x88\x42\x82\x84webm\x18\x53\x80\x67\x01"
    + b"\xff" * 7
    + b"\xec\x41\x00",
    "riff of 4 GiB": b"RIFF\xf0\xff\xff\xffAVI JUNK\xec\1\0\0",
    "sub-blocks": b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2",
    "packs": b"\0\0\1\xba\x44\0\4\0\4\1\0\0\3\xf8\0\0\1\xbe\1\xec",
    "tags": b"FLV\x01\5\0\0\0\x09\0\0\0\0" + b"\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\x0b" * 33,
    "bitmaps": b"BM" + struct.pack("<IIIIiiHHII", 1 << 30, 0, 54, 40, 1 << 14, 1 << 14, 1, 32, 0, 0),
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QIBB", 1 << 60, 512, 1, 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_read_grows_in_proportion_to_the_source_whatever_it_holds(name):
    block = HOSTILE[name].ljust(SECTOR, b"\1")
    limits = CarveLimits(credit=1 << 20)
    reads = []
    for size in (1 << 20, 1 << 21):
        source = Counted(block, size)
        results = list(carve(source, limits))
        assert all(0 <= each.offset < each.offset + each.length <= size for each in results)
        reads.append(source.read / size)

    assert reads[1] < 30
    assert reads[1] < reads[0] * 1.3 + 1


def test_headers_that_are_not_followed_are_told():
    block = HOSTILE["pictures without an end"].ljust(SECTOR, b"\1")

    *_, last = carve(Counted(block, 1 << 20), CarveLimits(credit=0, work=1))

    assert isinstance(last, Unexamined)
    assert last.kind == NoticeKind.LIMIT
    assert "headers were not followed" in last.message


def test_the_number_of_files_is_bounded_and_that_is_told(media):
    image = padded(media["png"].data) * 5

    *files, last = carve(MemorySource(image), CarveLimits(files=3))

    assert len(files) == 3
    assert last.kind == NoticeKind.LIMIT
    assert len(padded(media["png"].data)) * 3 == last.offset


def test_a_file_longer_than_the_limit_of_its_format_is_not_complete(media):
    data = media["png"].data
    sizes = {"png": len(data) - 1}

    assert [(each[0], each[3]) for each in carve(MemorySource(data), CarveLimits(sizes={"png": len(data)}))] == [
        (0, True)
    ]
    assert not any(each.complete for each in carve(MemorySource(data), CarveLimits(sizes=sizes)))


def test_the_search_begins_at_base_and_ends_at_stop_but_files_reach_beyond(media):
    data = padded(media["jpeg"].data)
    length = len(media["jpeg"].data)

    assert [(len(data), length, True)] == found(data * 3, base=len(data), stop=len(data) + 1)
    assert [(100 + len(data), length, True)] == found(bytes(100) + data * 2, base=100 + len(data))
    with pytest.raises(ValueError, match="steps of 0"):
        carve(MemorySource(data), step=0)


def test_an_empty_source_holds_nothing():
    assert found(b"") == []
    assert found(b"\xff\xd8\xff") == []
