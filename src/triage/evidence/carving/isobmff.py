"""ISO base media files (ISO/IEC 14496-12): MP4, QuickTime, 3GP, HEIC and AVIF, as boxes one behind the other."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from triage.evidence.carving.boxes import Box, box_at
from triage.evidence.carving.found import Verdict
from triage.evidence.carving.items import items_end
from triage.evidence.carving.reader import Reader, zeros_before
from triage.evidence.carving.samples import first_wrong_sample

_KNOWN: Final = frozenset(
    (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"meta", b"moof", b"mfra", b"sidx", b"styp",
     b"pdin", b"pnot", b"udta", b"PICT", b"emsg", b"prft", b"ssix", b"mpvd", b"sefd", b"idat", b"junk", b"pict",
     b"thum", b"jumb")
)  # fmt: skip
_FILLERS: Final = frozenset((b"free", b"skip", b"wide", b"junk"))
_BRANDS: Final = {
    b"heic": "image/heic", b"heix": "image/heic", b"heim": "image/heic", b"heis": "image/heic",
    b"hevc": "image/heic-sequence", b"mif1": "image/heif", b"msf1": "image/heif-sequence", b"avif": "image/avif",
    b"avis": "image/avif", b"qt  ": "video/quicktime", b"M4A ": "audio/x-m4a", b"M4B ": "audio/x-m4a",
    b"M4V ": "video/x-m4v", b"crx ": "image/x-canon-cr3",
}  # fmt: skip
_TAIL: Final = 512
_BRAND_BYTES: Final = 256


class _Place(NamedTuple):
    """A box that matters later: where its content begins, and where it ends."""

    start: int
    end: int


@dataclass(slots=True)
class _File:
    """The boxes met so far."""

    mime: str = "video/quicktime"
    boxes: int = 0
    fragments: int = 0
    kinds: set[bytes] = field(default_factory=set)
    movie: _Place | None = None
    meta: _Place | None = None
    open_ended: bool = False


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the boxes of the file at ``start``. See `formats.Format.walk`.

    Complete if description and media data are both there and agree: samples and items lie in the file, and those of
    H.264 and HEVC consist of whole NAL units (looked at in places, and where the first fails).
    """
    file, at, broken = _File(), start, ""
    while True:
        box = box_at(reader, at)
        if box is None or box.kind not in _KNOWN or (box.kind == b"ftyp" and at > start):
            break
        if box.kind in (b"moov", b"meta") and box.kind in file.kinds:
            break  # another file
        if box.end < 0 or box.end > reader.end:
            broken = f"box {box.kind.decode()} at {at - start} reaches beyond the source or the size limit"
            if box.end < 0:
                broken = f"box {box.kind.decode()} at {at - start} states no length"
            end = min(reader.end, at + reader.open_ended) if box.end < 0 else reader.end
            return Verdict(end, _note(reader, file, box), False, broken) if _meaningful(file) else None
        _note(reader, file, box)
        at = box.end
    return _judge(reader, file, start, at) if _meaningful(file) else None


def _note(reader: Reader, file: _File, box: Box) -> str:
    """Take in a box; what the file is, as known so far."""
    file.boxes += 1
    file.kinds.add(box.kind)
    place = _Place(box.data, box.end)
    if box.kind == b"ftyp":
        file.mime = _mime(reader.get(box.data, min(_BRAND_BYTES, max(0, box.end - box.data))))
    elif box.kind == b"moov":
        file.movie = place
    elif box.kind == b"meta":
        file.meta = place
    elif box.kind == b"moof":
        file.fragments += 1
    return file.mime


def _meaningful(file: _File) -> bool:
    """Whether there is more than letters that happen to look like boxes."""
    real = file.kinds - _FILLERS
    return b"ftyp" in real or b"moov" in real or (b"mdat" in real and file.boxes > 1)


def _judge(reader: Reader, file: _File, start: int, end: int) -> Verdict:
    """What the boxes from ``start`` to ``end`` are together."""
    where = f"no further box at {end - start}"
    if b"mdat" not in file.kinds and not (file.meta and b"moov" not in file.kinds):
        return Verdict(end, file.mime, False, f"{where}; no media data")
    if file.movie is None and file.meta is None:
        return Verdict(end, file.mime, False, f"{where}; no description of the media data (moov)")
    checked = False
    if file.movie is not None:
        wrong, checked = first_wrong_sample(reader, start, file.movie.start, file.movie.end)
        if wrong is not None and wrong < end:
            return Verdict(wrong, file.mime, False, f"the sample at {wrong - start} does not hold what its track says")
        if wrong is not None:
            return Verdict(end, file.mime, False, f"{where}; a track has samples behind that")
    elif file.meta is not None:
        furthest = items_end(reader, start, file.meta.start, file.meta.end)
        if furthest == 0:
            return Verdict(end, file.mime, False, f"{where}; its description names no item")
        if furthest > end:
            return Verdict(end, file.mime, False, f"{where}; an item lies behind that")
    if b"mdat" in file.kinds and not any(reader.get(max(start, end - _TAIL), min(_TAIL, end - start))):
        zeros = zeros_before(reader, start, end)
        return Verdict(zeros, file.mime, False, f"nothing but zeros from {zeros - start} up to the stated end")
    words = f"{file.boxes} boxes in a row, description and media data agree"
    return Verdict(end, file.mime, True, words, checked=checked and not file.fragments)


def _mime(brands: bytes) -> str:
    """The type that the file type box says (ISO/IEC 14496-12, 4.3; 23008-12, 10)."""
    major, compatible = brands[:4], {brands[i : i + 4] for i in range(8, len(brands) - 3, 4)}
    if major in (b"mif1", b"msf1"):
        for brand in (b"heic", b"heix", b"avif"):
            if brand in compatible:
                return _BRANDS[brand]
    if major[:3] == b"3gp":
        return "video/3gpp"
    return "video/3gpp2" if major[:3] == b"3g2" else _BRANDS.get(major, "video/mp4")
