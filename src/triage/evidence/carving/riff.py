"""RIFF: WebP pictures, AVI videos (with OpenDML parts) and WAV sound; chunks that must fill the stated size exactly."""

from typing import Final

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader, zeros_before

_MIMES: Final = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/x-wav"}
_NEEDED: Final = {
    b"WEBP": (b"VP8 ", b"VP8L", b"ANMF"),
    b"AVI ": (b"movi",),
    b"WAVE": (b"data",),
}
_LISTS: Final = frozenset((b"movi", b"rec "))
_PRINTABLE: Final = frozenset(range(0x20, 0x7F))
_TAIL: Final = 512


class _Cut(Exception):
    """Chunks break at ``end``."""

    def __init__(self, end: int, reason: str) -> None:
        super().__init__(reason)
        self.end = end
        self.reason = reason


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the chunks of the RIFF at ``start``. See `formats.Format.walk`.

    Complete if they end where the header says, and compressed data do not end in a sector of zeros.
    """
    form = reader.get(start + 8, 4)
    mime = _MIMES.get(form)
    seen: set[bytes] = set()
    if mime is None:
        return None
    try:
        end = _part(reader, start, form, seen)
        while form == b"AVI " and reader.get(end, 4) == b"RIFF" and reader.get(end + 8, 4) == b"AVIX":
            end = _part(reader, end, form, seen)
    except _Cut as cut:
        return Verdict(cut.end, mime, False, f"{cut.reason} at {cut.end - start}") if seen else None
    if not seen.intersection(_NEEDED[form]):
        return Verdict(end, mime, False, "ends without picture or sound data") if seen else None
    if form != b"WAVE" and not any(reader.get(max(start, end - _TAIL), min(_TAIL, end - start))):
        return Verdict(zeros_before(reader, start, end), mime, False, "nothing but zeros up to the stated end")
    return Verdict(end, mime, True, "chunks end at the stated size", checked=form == b"AVI ")


def _part(reader: Reader, start: int, form: bytes, seen: set[bytes]) -> int:
    """Follow one RIFF chunk; where it ends."""
    size = reader.number(start + 4, 4, big=False)
    end = start + 8 + size
    if size < 4 + 8:
        raise _Cut(start + 12, "no size is stated")
    _chunks(reader, start + 12, end, form, seen)
    return end + (size & 1 if reader.get(end, 1) == b"\0" and size & 1 else 0)


def _chunks(reader: Reader, at: int, end: int, form: bytes, seen: set[bytes]) -> None:
    """Follow chunks from ``at`` up to exactly ``end``; lists of frames are entered."""
    ends = [end]
    while ends:
        if at == ends[-1]:
            ends.pop()
            continue
        head = reader.get(at, 12)
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if len(head) < 8 or not _PRINTABLE.issuperset(name):
            raise _Cut(at, "no chunk")
        after = at + 8 + size
        # The byte that pads an odd chunk is missing in files by some writers, at the end of a list only.
        after = min(after + (size & 1), max(after, ends[-1]))
        if after > ends[-1]:
            raise _Cut(at, "a chunk is longer than what holds it,")
        kind = head[8:12] if name == b"LIST" else name
        if not _sound(reader, at + 8, form, kind, size):
            raise _Cut(at, f"chunk {name.decode('ascii')} is not one")
        if name == b"LIST" and kind in _LISTS and len(ends) < 8:
            seen.add(kind)
            ends.append(after)
            at += 12
            continue
        if after > reader.end:
            seen.add(kind)
            raise _Cut(reader.end, "the source or the size limit ends within a chunk,")
        seen.add(kind)
        at = after


def _sound(reader: Reader, data: int, form: bytes, kind: bytes, size: int) -> bool:
    """Whether the beginning of a chunk's data is what its name says, where that can be told."""
    if form == b"WEBP" and kind == b"VP8 ":  # RFC 6386, 9.1: a key frame
        head = reader.get(data, 6)
        return len(head) == 6 and not head[0] & 1 and head[3:] == b"\x9d\x01\x2a" and _partition(head) < size
    if form == b"WEBP" and kind == b"VP8L":
        return reader.get(data, 1) == b"\x2f"
    if form == b"WAVE" and kind == b"fmt ":
        return 14 <= size <= 4096 and 1 <= reader.number(data + 2, 2, big=False) <= 64
    return True


def _partition(head: bytes) -> int:
    """Length of the first partition of a VP8 frame."""
    return int.from_bytes(head[:3], "little") >> 5
