"""JPEG (ITU-T T.81): marker segments and entropy-coded scans up to EOI; further pictures of the MPF follow it."""

import re
import struct
from dataclasses import dataclass, field
from typing import Final

from triage.evidence.carving import mpf
from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import BLOCK, Reader

_MIME: Final = "image/jpeg"
_SOI: Final = 0xD8
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_DQT: Final = 0xDB
_DNL: Final = 0xDC
_DRI: Final = 0xDD
_DHT: Final = 0xC4
_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_HUFFMAN_SEQUENTIAL: Final = frozenset((0xC0, 0xC1))
_OTHERS: Final = frozenset((*range(0xE0, 0xF0), 0xFE, _DQT, _DHT, _DRI, _DNL, 0xCC, 0xDE, 0xDF))

_MARKER: Final = re.compile(rb"\xff[^\x00]", re.DOTALL)
_NOT_RESTART: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_RESTART: Final = re.compile(rb"\xff([\xd0-\xd7])")
_ZEROS: Final = bytes(BLOCK)
_ZERO_BLOCKS: Final = 4
"""So many blocks of zeros in a row (256 KiB) are no picture data: they would be 40 megapixels of one colour."""


@dataclass(slots=True)
class _Picture:
    """What the segments have said so far."""

    segments: int = 0
    frame: int = 0
    blocks: int = 0
    components: frozenset[int] = frozenset()
    scanned: set[int] = field(default_factory=set)
    restarts: bool = False
    scan_bytes: int = 0
    others: tuple[int, ...] = ()


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow segments and scans of the JPEG at ``start``. See `formats.Format.walk`.

    Complete if EOI came behind scans of all components that are long enough for the dimensions. A picture cut off in
    front of data that happens to hold an EOI before any other marker is taken for complete if enough of it is there
    (about one in 250 of those that are followed by random bytes).
    """
    verdict, others = _picture(reader, start)
    if verdict is None or not verdict.complete or not others:
        return verdict
    end, missing = verdict.end, 0
    for place in others:
        further, _ = _picture(reader, place) if verdict.end <= place <= end + mpf.GAP else (None, ())
        if further is None or not further.complete:
            missing += 1
        else:
            end = max(end, further.end)
    words = f"ends with EOI; {len(others) - missing} of {len(others)} further pictures that its MPF names follow"
    return Verdict(end, _MIME, True, words)


def _picture(reader: Reader, start: int) -> tuple[Verdict | None, tuple[int, ...]]:
    """One picture, from SOI to EOI, and where its MPF says that others begin."""
    picture, at = _Picture(), start + 2
    while True:
        marker = reader.get(at, 2)
        if len(marker) == 2 and marker == b"\xff\xff":  # fill byte
            at += 1
            continue
        code = marker[1] if len(marker) == 2 and marker[0] == 0xFF else -1
        if code == _EOI:
            return _ended(picture, start, at + 2), picture.others
        problem, after = _segment(reader, picture, at, code)
        if problem:
            told = Verdict(after, _MIME, False, f"{problem} at {at - start}")
            return (told if picture.segments else None), ()
        picture.segments += 1
        at = after


def _segment(reader: Reader, picture: _Picture, at: int, code: int) -> tuple[str, int]:
    """What is wrong with the segment at ``at``, or nothing; and where it, with its scan, ends or breaks."""
    if code not in _OTHERS and code not in _FRAMES and code != _SOS:
        return ("another picture begins" if code == _SOI else "no marker"), at
    size = reader.number(at + 2, 2)
    if size < 2:
        return "no segment", at
    body, after = at + 4, at + 2 + size
    if after > reader.end:
        return "a segment is cut off", reader.end
    if code == _SOS:
        return _scan(reader, picture, body, after)
    if code in _FRAMES:
        return ("", after) if _frame(picture, code, reader.get(body, size - 2)) else ("no frame header", at)
    if code in (_DQT, _DHT) and not _tables(code, reader.get(body, size - 2)):
        return "no table", at
    if code == _DRI:
        picture.restarts = size == 4 and reader.number(body, 2) > 0
    elif code == 0xE2 and reader.get(body, 4) == mpf.NAME and not picture.others:
        picture.others = mpf.further_pictures(reader.get(body + 4, size - 6), body + 4)
    return "", after


def _frame(picture: _Picture, code: int, data: bytes) -> bool:
    """Take in a frame header; whether it is one (T.81, B.2.2)."""
    if picture.frame or len(data) < 9 or len(data) != 6 + 3 * data[5] or data[0] not in (8, 12, 16):
        return False
    height, width = struct.unpack_from(">HH", data, 1)
    parts = [data[i : i + 3] for i in range(6, len(data), 3)]
    factors = [(part[1] >> 4, part[1] & 15) for part in parts]
    if not width or not all(1 <= h <= 4 and 1 <= v <= 4 for h, v in factors):
        return False
    widest, tallest = max(h for h, _ in factors), max(v for _, v in factors)
    picture.frame, picture.components = code, frozenset(part[0] for part in parts)
    picture.blocks = sum(-(-width * h // (8 * widest)) * -(-height * v // (8 * tallest)) for h, v in factors)
    return True


def _tables(code: int, data: bytes) -> bool:
    """Whether a DQT or DHT segment consists of whole tables (T.81, B.2.4.1 and B.2.4.2)."""
    at = 0
    while at < len(data):
        kind = data[at]
        if kind & 15 > 3 or kind >> 4 > 1:
            return False
        at += (65 + 64 * (kind >> 4)) if code == _DQT else 17 + sum(data[at + 1 : at + 17])
    return at == len(data) > 0


def _scan(reader: Reader, picture: _Picture, body: int, data: int) -> tuple[str, int]:
    """Take in a scan header and pass the entropy-coded data behind it."""
    header = reader.get(body, data - body)
    count = header[0] if header else 0
    chosen = set(header[1 : 1 + 2 * count : 2])
    if not picture.frame or not 1 <= count <= 4 or len(header) != 4 + 2 * count or not chosen <= picture.components:
        return "no scan header", body - 4
    end, restarts = data, 0
    zeros = 0
    wanted = _NOT_RESTART if picture.restarts else _MARKER
    while True:
        run = reader.run(end)
        if len(run) > 1 and end + len(run) < reader.end and run.endswith(b"\xff"):
            run = run[:-1]
        elif run == b"\xff":
            run = reader.get(end, 2)
        if not run:
            return "the source or the size limit ends within a scan,", end
        found = wanted.search(run)
        stretch = run[: found.start()] if found else run
        if picture.restarts:
            for restart in _RESTART.finditer(stretch):
                if restart[1][0] & 7 != restarts & 7:
                    return "a restart marker out of turn in a scan,", end + restart.start()
                restarts += 1
        end += len(stretch)
        if found:
            break
        zeros = zeros + 1 if run == _ZEROS else 0
        if zeros == _ZERO_BLOCKS:
            return "nothing but zeros in a scan,", end
    picture.scanned |= chosen
    picture.scan_bytes += end - data
    return "", end


def _ended(picture: _Picture, start: int, end: int) -> Verdict | None:
    """EOI came; whether all that it should end had come before."""
    if not picture.scanned:
        return Verdict(end, _MIME, False, "ends without picture data") if picture.frame else None
    if not picture.components <= picture.scanned:
        return Verdict(end, _MIME, False, "ends before all components came")
    # Each block has a code for DC and one for AC, of at least one bit.
    if picture.frame in _HUFFMAN_SEQUENTIAL and picture.scan_bytes * 8 < 2 * picture.blocks:
        return Verdict(end, _MIME, False, f"ends after {end - start} bytes, too soon for its dimensions")
    return Verdict(end, _MIME, True, "ends with EOI")
