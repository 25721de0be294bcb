"""TIFF 6.0, BigTIFF and the raw formats of cameras that are TIFF: a file reaches to the furthest byte that it names."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader

_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_DIRECTORIES: Final = frozenset((330, 34665, 34853, 40965))  # SubIFDs, Exif, GPS, interoperability
_DATA: Final = {273: 279, 324: 325, 513: 514}  # strips, tiles, JPEG: offsets and their lengths
_TAGS: Final = frozenset((*_DATA, *_DATA.values()))
_MOST_DIRECTORIES: Final = 256
_MOST_ENTRIES: Final = 4096
_MOST_PARTS: Final = 1 << 20


class _Layout(NamedTuple):
    """Numbers that differ between TIFF and BigTIFF."""

    order: str
    head: int
    counter: int
    entry: int
    pointer: int


@dataclass(slots=True)
class _Extent:
    """How far the file reaches, as known so far."""

    furthest: int
    pictures: int = 0
    cut: str = ""
    waiting: list[int] = field(default_factory=list)
    entered: set[int] = field(default_factory=set)


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the directories of the TIFF at ``start``. See `formats.Format.walk`.

    Complete if all that they name lies in the source and there is a picture among it. There is no check of the content:
    a file cut off behind its directories cannot be told from a whole one.
    """
    head = reader.get(start, 16)
    if len(head) < 16:
        return None
    order = "<" if head[:2] == b"II" else ">"
    if head[2:4] in (b"*\0", b"\0*"):
        layout = _Layout(order, 8, 2, 12, 4)
        (first,) = struct.unpack_from(order + "I", head, 4)
    elif struct.unpack_from(order + "HHH", head, 2) == (43, 8, 0):
        layout = _Layout(order, 16, 8, 20, 8)
        (first,) = struct.unpack_from(order + "Q", head, 8)
    else:
        return None
    mime = "image/x-canon-cr2" if head[8:10] == b"CR" else "image/tiff"
    extent = _Extent(start + layout.head, waiting=[first])
    while extent.waiting:
        place = extent.waiting.pop()
        if place in extent.entered or not place:
            continue
        extent.entered.add(place)
        if len(extent.entered) > _MOST_DIRECTORIES:
            extent.cut = f"more than {_MOST_DIRECTORIES} directories"
            break
        _directory(reader, start, layout, place, extent)
    if not extent.pictures:
        return None  # the Exif data of a JPEG look like this
    end = min(extent.furthest, reader.end)
    if extent.cut or extent.furthest > reader.end:
        return Verdict(
            end, mime, False, extent.cut or f"names {extent.furthest - start} bytes, more than follow", False
        )
    return Verdict(end, mime, True, "reaches to the furthest byte that its directories name", checked=False)


def _directory(reader: Reader, start: int, layout: _Layout, place: int, extent: _Extent) -> None:
    """Take in one directory."""
    at = start + place
    count = reader.number(at, layout.counter, layout.order == ">")
    size = layout.counter + count * layout.entry + layout.pointer
    if place < layout.head or not 0 < count <= _MOST_ENTRIES or at + size > reader.end:
        extent.cut = extent.cut or f"no directory at {place}"
        return
    data = reader.get(at, size)
    entries = list(_entries(data, layout, count))
    if not all(kind in _WIDTHS for _, kind, _, _ in entries):
        extent.cut = extent.cut or f"no directory at {place}"
        return
    extent.furthest = max(extent.furthest, at + size)
    numbers: dict[int, tuple[int, ...]] = {}
    for tag, kind, amount, where in entries:
        length = amount * _WIDTHS[kind]
        if length > layout.pointer:
            value = start + int.from_bytes(data[where : where + layout.pointer], _endian(layout))
            extent.furthest = max(extent.furthest, value + length)
        else:
            value = at + where
        if tag in _TAGS or tag in _DIRECTORIES:
            numbers[tag] = _numbers(reader, layout, kind, amount, value)
    extent.waiting.append(int.from_bytes(data[-layout.pointer :], _endian(layout)))
    extent.waiting.extend(number for tag in _DIRECTORIES for number in numbers.get(tag, ())[:_MOST_DIRECTORIES])
    for offsets, lengths in _DATA.items():
        for offset, length in zip(numbers.get(offsets, ()), numbers.get(lengths, ()), strict=False):
            extent.furthest = max(extent.furthest, start + offset + length)
            extent.pictures += length > 0


def _endian(layout: _Layout) -> Literal["little", "big"]:
    return "little" if layout.order == "<" else "big"


def _entries(data: bytes, layout: _Layout, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type and count of each entry, and where in ``data`` its value or the offset of that stands."""
    code = layout.order + ("HHI" if layout.pointer == 4 else "HHQ")
    for i in range(count):
        at = layout.counter + i * layout.entry
        tag, kind, amount = struct.unpack_from(code, data, at)
        yield tag, kind, amount, at + layout.entry - layout.pointer


def _numbers(reader: Reader, layout: _Layout, kind: int, amount: int, at: int) -> tuple[int, ...]:
    """The numbers of an entry whose value stands at ``at``; none if they are not all there."""
    code = _CODES.get(kind)
    if code is None or amount > _MOST_PARTS:
        return ()
    data = reader.get(at, amount * _WIDTHS[kind])
    if len(data) < amount * _WIDTHS[kind]:
        return ()
    return struct.unpack(f"{layout.order}{amount}{code}", data)
