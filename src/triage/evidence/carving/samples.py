"""Samples of a movie's tracks: whether they lie in the file and hold what the track says (ISO/IEC 14496-12 and -15)."""

import struct
from array import array
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from triage.evidence.carving.boxes import Box, boxes, inner
from triage.evidence.carving.reader import Reader, first_failing

_LENGTH_FIELD: Final = {b"avc1": (b"avcC", 4), b"avc3": (b"avcC", 4), b"hvc1": (b"hvcC", 21), b"hev1": (b"hvcC", 21)}
"""Video that is stored as NAL units: its configuration box, and the byte in that whose low bits are the width."""

_VISUAL: Final = 8 + 78
"""Bytes of a visual sample entry in front of its boxes, with its own head."""

_MOST_SAMPLES: Final = 1 << 22
_MOST_NALS: Final = 4096
_MOST_TRACKS: Final = 64


class _Samples(NamedTuple):
    """Samples in the order of their chunks: offsets in the file, and lengths."""

    offsets: "array[int]"
    lengths: "array[int]"
    width: int
    """Bytes of the length in front of each NAL unit; 0 if samples are something else."""


def first_wrong_sample(reader: Reader, start: int, movie: int, end: int) -> tuple[int | None, bool]:
    """Offset in the source of the first sample that cannot be right, of the file at ``start``; `None` if there is none.

    ``movie`` and ``end`` bound the content of its ``moov``. A sample that reaches beyond the source counts as wrong.
    Also whether the content of any samples could be judged.
    """
    wrong: list[int] = []
    judged = False
    tracks = [box for box in boxes(reader, movie, end) if box.kind == b"trak"]
    for track in tracks[:_MOST_TRACKS]:
        table = inner(reader, track.data, track.end, b"mdia", b"minf", b"stbl")
        samples = _samples(reader, table) if table else None
        if samples is None:
            continue
        count = len(samples.offsets)
        judged = judged or samples.width > 0
        bad = first_failing(count, partial(_holds, reader, start, samples))
        if bad < count:
            wrong.append(start + samples.offsets[bad])
    return min(wrong, default=None), judged


def _holds(reader: Reader, start: int, samples: _Samples, number: int) -> bool:
    """Whether sample ``number`` lies in the source and, if it should, consists of whole NAL units."""
    at = start + samples.offsets[number]
    end, width = at + samples.lengths[number], samples.width
    if end > reader.end:
        return False
    if not width:
        return True
    for _ in range(_MOST_NALS):
        if at == end:
            return True
        length = reader.number(at, width)
        # A unit of no bytes is not one; zeros where samples should be are the commonest damage.
        if length <= 0 or at + width + length > end:
            return False
        at += width + length
    return True


def _samples(reader: Reader, table: Box) -> _Samples | None:
    """Where the samples of a track are; `None` if it has none in chunks (fragmented movies) or too many."""
    parts = {box.kind: box for box in boxes(reader, table.data, table.end)}
    chunks = _numbers(reader, parts.get(b"stco"), 4, "I") or _numbers(reader, parts.get(b"co64"), 4, "Q")
    runs = _numbers(reader, parts.get(b"stsc"), 4, "III")
    sizes = parts.get(b"stsz")
    if not chunks or not runs or sizes is None or list(runs[::3]) != sorted(set(runs[::3])) or runs[0] != 1:
        return None
    fixed, count = reader.number(sizes.data + 4, 4), reader.number(sizes.data + 8, 4)
    if not 0 < count <= _MOST_SAMPLES or fixed < 0:
        return None
    # A track of fixed sizes is sound, with thousands of samples a second: its chunks are enough.
    lengths = [] if fixed else _numbers(reader, sizes, 8, "I")
    if not fixed and len(lengths) < count:
        return None
    offsets, taken = array("Q"), array("Q")
    for place, amount, first in _chunked(chunks, runs, count):
        if fixed:
            offsets.append(place)
            taken.append(fixed * amount if fixed > 1 else 1)
            continue
        for length in lengths[first : first + amount]:
            offsets.append(place)
            taken.append(length)
            place += length
    return _Samples(offsets, taken, _nal_width(reader, parts.get(b"stsd")))


def _chunked(chunks: tuple[int, ...], runs: tuple[int, ...], count: int) -> Iterator[tuple[int, int, int]]:
    """Offset of each chunk, how many samples it has, and the number of the first of them."""
    first, run = 0, 0
    for number, place in enumerate(chunks, 1):
        while 3 * (run + 1) < len(runs) and runs[3 * (run + 1)] <= number:
            run += 1
        amount = min(runs[3 * run + 1], count - first)
        if amount <= 0:
            return
        yield place, amount, first
        first += amount


def _numbers(reader: Reader, box: Box | None, at: int, code: str) -> tuple[int, ...]:
    """The rows of a table whose count stands ``at`` bytes into the box, as one row of numbers; empty if cut off."""
    if box is None:
        return ()
    row = struct.calcsize(">" + code)
    count = reader.number(box.data + at, 4)
    if not 0 < count <= _MOST_SAMPLES or box.data + at + 4 + count * row > box.end:
        return ()
    data = reader.get(box.data + at + 4, count * row)
    return struct.unpack(f">{count * len(code)}{code[0]}", data) if len(data) == count * row else ()


def _nal_width(reader: Reader, descriptions: Box | None) -> int:
    """Width of NAL lengths, from the first sample description; 0 if it is not H.264 or HEVC."""
    entry = next(boxes(reader, descriptions.data + 8, descriptions.end), None) if descriptions else None
    known = _LENGTH_FIELD.get(entry.kind) if entry else None
    if entry is None or known is None:
        return 0
    name, place = known
    configuration = inner(reader, entry.start + _VISUAL, entry.end, name)
    return 1 + (reader.number(configuration.data + place, 1) & 3) if configuration else 0
