"""MPEG program streams (ISO/IEC 11172-1, 13818-1) and transport streams: packs and packets without any stated length.

A transport stream has no end mark, most program streams have none; they end where no packet follows.
"""

from typing import Final

import numpy as np

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader

_PACKETS: Final = 256
_FEWEST_PACKETS: Final = 16
_END: Final = 0xB9
_PACK: Final = 0xBA
_FEWEST_PES: Final = 3


def walk_program(reader: Reader, start: int) -> Verdict | None:
    """Follow the packs of the program stream at ``start``; complete with an end code. See `formats.Format.walk`."""
    at, packs, packets = start, 0, 0
    while True:
        head = reader.get(at, 14)
        if len(head) < 4 or head[:3] != b"\0\0\1" or head[3] < _END:
            break
        if head[3] == _END:
            if packs and packets >= _FEWEST_PES:
                return Verdict(at + 4, "video/mpeg", True, "ends with the end code")
            break
        if head[3] == _PACK:
            length = _pack_length(head)
            packs += 1
        else:
            length = 6 + int.from_bytes(head[4:6], "big")
            packets += 1
        if length <= 6:
            break
        if at + length > reader.end:
            break
        at += length
    if not packs or packets < _FEWEST_PES:
        return None
    return Verdict(at, "video/mpeg", False, f"no packet follows at {at - start}, and there was no end code", sound=at)


def _pack_length(head: bytes) -> int:
    """Length of a pack header in bytes, 0 if it is none."""
    if len(head) < 14:
        return 0
    if head[4] >> 4 == 2 and head[4] & 1 and head[8] & 1:
        return 12
    return 14 + (head[13] & 7) if head[4] >> 6 == 1 and head[4] & 4 and head[9] & 1 else 0


def walk_transport(reader: Reader, start: int) -> Verdict | None:
    """Follow packets of 188 bytes as far as each begins with 0x47. See `formats.Format.walk`."""
    return _packets(reader, start, 188, 0, "video/mp2t")


def walk_blu_ray(reader: Reader, start: int) -> Verdict | None:
    """The same for packets with a time stamp of four bytes in front, as camcorders (AVCHD) and Blu-ray write them."""
    return _packets(reader, start, 192, 4, "video/mp2t")


def _packets(reader: Reader, start: int, size: int, sync: int, mime: str) -> Verdict | None:
    at, tables = start, False
    while True:
        data = reader.get(at, size * _PACKETS)
        whole = len(data) // size
        packets = np.frombuffer(data, np.uint8, whole * size).reshape(whole, size)[:, sync : sync + 4]
        # The sync byte; no transport error; adaptation field control is never 0 (13818-1, 2.4.3.3).
        right = (packets[:, 0] == 0x47) & (packets[:, 1] < 0x80) & (packets[:, 3] & 0x30 != 0)
        good = whole if right.all() else int(right.argmin())
        tables = tables or bool(((packets[:good, 1] & 0x5F == 0x40) & (packets[:good, 2] == 0)).any())
        at += good * size
        if good < _PACKETS:
            break
    if at - start < _FEWEST_PACKETS * size or not tables:
        return None
    return Verdict(at, mime, False, f"no packet follows at {at - start}; the format has no end mark", sound=at)
