"""FLV (Adobe Flash Video File Format 10.1, annex E): tags, each followed by its own length."""

import struct
from typing import Final

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader

_MIME: Final = "video/x-flv"
_TAGS: Final = frozenset((8, 9, 18))  # audio, video, script data
_FILE_SIZE: Final = b"\0\x08filesize\0"


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the tags of the FLV at ``start``. See `formats.Format.walk`.

    Complete if its metadata state the length that was reached, or the last tag ends the video sequence.
    """
    head = reader.get(start, 13)
    if len(head) < 13 or head[4] & 0xFA or head[5:13] != b"\0\0\0\x09\0\0\0\0":
        return None
    at, tags, stated, ended = start + 13, 0, 0, False
    while True:
        tag = reader.get(at, 16)
        size = int.from_bytes(tag[1:4], "big")
        if len(tag) < 11 or tag[0] not in _TAGS or tag[8:11] != b"\0\0\0":
            break
        if reader.number(at + 11 + size, 4) != 11 + size:
            break
        if tag[0] == 18 and not tags:
            stated = _stated(reader.get(at + 11, min(size, 4096)))
        # AVC end of sequence: a video tag of codec 7 with packet type 2
        ended = tag[0] == 9 and size >= 5 and tag[11] & 15 == 7 and tag[12] == 2
        at, tags = at + 15 + size, tags + 1
        if stated and at - start == stated:
            return Verdict(at, _MIME, True, "ends at the length that its metadata state")
    if not tags:
        return None
    if ended:
        return Verdict(at, _MIME, True, "ends with the end of the video sequence")
    return Verdict(at, _MIME, False, f"no tag follows at {at - start}; the format has no end mark of its own", sound=at)


def _stated(metadata: bytes) -> int:
    """Length in bytes that the metadata state, 0 if they do not."""
    place = metadata.find(_FILE_SIZE)
    value = metadata[place + len(_FILE_SIZE) :][:8]
    if place < 0 or len(value) < 8:
        return 0
    number: float = struct.unpack(">d", value)[0]
    return int(number) if 0 < number < 1 << 53 else 0
