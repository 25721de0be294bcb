"""Matroska and WebM (RFC 8794, RFC 9559): EBML elements, down to the blocks of each cluster."""

from typing import Final, NamedTuple

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader

_HEADER: Final = 0x1A45DFA3
_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_TRACKS: Final = 0x1654AE6B
_DOC_TYPE: Final = 0x4282
_ANYWHERE: Final = frozenset((0xEC, 0xBF))  # Void, CRC-32
_TOP: Final = (
    frozenset((0x114D9B74, 0x1549A966, _TRACKS, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367)) | _ANYWHERE
)
_IN_CLUSTER: Final = frozenset((0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0x5854, 0xAF)) | _ANYWHERE
_MIMES: Final = {b"webm": "video/webm", b"matroska": "video/x-matroska"}
_HEADER_BYTES: Final = 4096


class _Element(NamedTuple):
    """An element: its id, where its content begins, and where it ends (-1: not stated)."""

    id: int
    data: int
    end: int


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the elements of the file at ``start``. See `formats.Format.walk`.

    Complete if the segment states its length and its elements fill it exactly. Live recordings state none; they end
    where no element follows and are not complete.
    """
    header = _element(reader, start)
    if header is None or header.id != _HEADER or not 8 <= header.end - header.data <= _HEADER_BYTES:
        return None
    mime = _MIMES.get(_doc_type(reader, header), "")
    segment = _element(reader, header.end)
    if not mime or segment is None or segment.id != _SEGMENT:
        return None
    at, seen = _children(reader, segment)
    if not seen:
        return None
    if at == segment.end and {_TRACKS, _CLUSTER} <= seen:
        return Verdict(at, mime, True, "elements fill the stated segment")
    if segment.end < 0:
        return Verdict(at, mime, False, f"no element follows at {at - start}; the segment states no length", sound=at)
    words = "ends without tracks and clusters" if at == segment.end else f"no element at {at - start}"
    return Verdict(at, mime, False, words)


def _children(reader: Reader, segment: _Element) -> tuple[int, set[int]]:
    """Follow the elements of a segment and of its clusters; where that ends, and which were met on top."""
    at, seen = segment.data, set[int]()
    cluster_end = 0
    in_cluster = False
    while at != segment.end:
        element = _element(reader, at)
        if element is None:
            break
        if in_cluster and element.id in _IN_CLUSTER and (cluster_end < 0 or at < cluster_end):
            limit = cluster_end if cluster_end >= 0 else segment.end
        elif element.id in _TOP and (not in_cluster or cluster_end < 0 or at == cluster_end):
            seen.add(element.id)
            limit, in_cluster = segment.end, element.id == _CLUSTER
            cluster_end = element.end
        else:
            break
        if limit >= 0 and element.end > limit:
            break
        if in_cluster and element.id == _CLUSTER:
            at = element.data
            continue
        if element.end < 0:
            break
        if element.end > reader.end:
            return reader.end, seen
        at = element.end
    return min(at, reader.end), seen


def _element(reader: Reader, at: int) -> _Element | None:
    """The element at ``at``; `None` if its id or length is no variable-length number (RFC 8794, 4)."""
    head = reader.get(at, 12)
    if len(head) < 2 or head[0] < 0x10:
        return None
    id_width = 9 - head[0].bit_length()
    rest = head[id_width:]
    if not rest or not rest[0]:
        return None
    width = 9 - rest[0].bit_length()
    if len(rest) < width:
        return None
    size = int.from_bytes(rest[:width], "big") & ((1 << 7 * width) - 1)
    data = at + id_width + width
    unknown = size == (1 << 7 * width) - 1
    return _Element(int.from_bytes(head[:id_width], "big"), data, -1 if unknown else data + size)


def _doc_type(reader: Reader, header: _Element) -> bytes:
    """What the EBML header says the file is."""
    at = header.data
    while at < header.end:
        element = _element(reader, at)
        if element is None or not at < element.end <= header.end:
            return b""
        if element.id == _DOC_TYPE:
            return reader.get(element.data, element.end - element.data).rstrip(b"\0")
        at = element.end
    return b""
