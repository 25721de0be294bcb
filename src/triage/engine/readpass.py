"""The one read of a file: digests, head and windows out of the same bytes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from triage.engine.digesting import Digesting, digests_of
from triage.errors import EvidenceError
from triage.evidence.source import ByteSource, Slice, UnreadableBytes

HEAD: Final = 65_536
_STEPS: Final = (65_536, 4_096)
_MOST_LOST: Final = 1_000


class Lost(NamedTuple):
    """A range of a file's bytes that could not be read; zeros stand in its place in what scanners see."""

    offset: int
    length: int
    reason: str


class Piece(NamedTuple):
    """A window on the content: ``data`` from ``offset``, of which the first ``overlap`` bytes were seen before."""

    data: bytes
    offset: int
    overlap: int
    last: bool


@dataclass(slots=True)
class Reading:
    """What the read found out; complete once its `pieces` are used up."""

    size: int
    head: bytes = b""
    whole: bytes | None = None
    """All content, if it fitted into one window."""
    digests: dict[str, str] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)


def pieces(
    source: ByteSource, size: int, algorithms: Sequence[str], window: int, overlap: int, reading: Reading
) -> Iterable[Piece]:
    """Read ``size`` bytes once, in order, and give them in windows that overlap by ``overlap`` bytes.

    Fills ``reading``. Bytes that cannot be read are zeros in the windows and named in ``reading.lost``; there are
    then no digests, for a digest of guessed content would be a lie.
    """
    if size <= window:  # nearly every file
        data = _read(source, 0, size, reading.lost)
        reading.head, reading.whole = data[:HEAD], data
        if not reading.lost:
            reading.digests = digests_of(data, algorithms)
        return (Piece(data, 0, 0, True),)
    return _windows(source, size, algorithms, window, overlap, reading)


def _windows(
    source: ByteSource, size: int, algorithms: Sequence[str], window: int, overlap: int, reading: Reading
) -> Iterator[Piece]:
    digesting = Digesting(algorithms)
    offset, tail = 0, b""
    while True:
        data = _read(source, offset, min(window, size - offset), reading.lost)
        digesting.update(data)
        end = offset + len(data)
        if offset == 0:
            reading.head = data[:HEAD]
        last = end >= size
        if last and not reading.lost:
            reading.digests = digesting.hexdigests()
        yield Piece(tail + data if tail else data, offset - len(tail), len(tail), last)
        if last:
            return
        tail = data[-overlap:] if overlap else b""
        offset = end


def stored_pieces(
    source: ByteSource, runs: Sequence[tuple[int, int]], window: int, overlap: int, reading: Reading
) -> Iterator[Piece]:
    """Read only ``runs`` (offset and length in bytes) of a sparse file; there are no digests then."""
    for index, (start, length) in enumerate(runs):
        part = Reading(length)
        for piece in pieces(Slice(source, start, length), length, (), window, overlap, part):
            if index == 0 and not reading.head:
                reading.head = part.head if start == 0 else bytes(HEAD)
            yield Piece(piece.data, piece.offset + start, piece.overlap, piece.last and index == len(runs) - 1)
        reading.lost += [Lost(start + lost.offset, lost.length, lost.reason) for lost in part.lost]


def _read(source: ByteSource, offset: int, length: int, lost: list[Lost]) -> bytes:
    """The bytes of one piece, with zeros for what is lost. Each turn of the loop gets past what stopped the last."""
    parts: list[bytes] = []
    end = offset + length
    while offset < end:
        try:
            data = source.read_at(offset, end - offset)
        except UnreadableBytes as error:
            if error.offset <= offset and error.offset + error.length == end:
                data = _salvage(source, offset, end - offset, 0, str(error), lost)
            else:
                data = _up_to(source, offset, error, end, lost)
        except EvidenceError as error:
            data = _salvage(source, offset, end - offset, 0, str(error), lost)
        if not data:
            _note(lost, offset, end - offset, "the source ends before the file does")
            data = bytes(end - offset)
        parts.append(data)
        offset += len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _up_to(source: ByteSource, offset: int, error: UnreadableBytes, end: int, lost: list[Lost]) -> bytes:
    """What lies before a loss of known extent, and zeros for it."""
    start = min(max(error.offset, offset), end)
    stop = min(max(error.offset + error.length, start + 1), end)
    before = _read(source, offset, start - offset, lost)
    _note(lost, offset + len(before), stop - offset - len(before), str(error))
    return before + bytes(stop - offset - len(before))


def _salvage(source: ByteSource, offset: int, length: int, level: int, reason: str, lost: list[Lost]) -> bytes:
    """Read around a loss of unknown extent (the whole request failed), in ever smaller steps.

    After `_MOST_LOST` separate losses in one file the steps stay large: patience with one file has a bound.
    """
    if level == len(_STEPS) or (level and len(lost) >= _MOST_LOST):
        _note(lost, offset, length, reason)
        return bytes(length)
    parts = []
    for at in range(offset, offset + length, _STEPS[level]):
        step = min(_STEPS[level], offset + length - at)
        try:
            part = source.read_at(at, step)
        except EvidenceError as error:
            part = _salvage(source, at, step, level + 1, str(error), lost)
        if len(part) < step:
            _note(lost, at + len(part), step - len(part), "the source ends before the file does")
            part += bytes(step - len(part))
        parts.append(part)
    return b"".join(parts)


def _note(lost: list[Lost], offset: int, length: int, reason: str) -> None:
    if lost and lost[-1].offset + lost[-1].length == offset:
        lost[-1] = Lost(lost[-1].offset, lost[-1].length + length, lost[-1].reason)
    else:
        lost.append(Lost(offset, length, reason))


def lost_bytes(reading: Reading) -> int:
    """How many bytes could not be read."""
    return sum(part.length for part in reading.lost)
