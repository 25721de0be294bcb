"""Digests over whole media, and whether they are those that a container stores."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from triage.evidence.container import Container
from triage.evidence.source import ByteSource, UnreadableBytes

STEP: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class MediaDigest:
    """Digests over ``size`` bytes of media, by algorithm, lower-case hex.

    ``unreadable`` are (offset, length) of bytes that could not be had; zeros were digested in their place, so that the
    digests are then those of a copy that has zeros there and cannot be expected to match stored ones.
    """

    digests: dict[str, str]
    unreadable: tuple[tuple[int, int], ...]
    size: int


@dataclass(frozen=True, slots=True)
class MediaVerification:
    """A `MediaDigest` beside the digests that the container stores; ``mismatched`` names algorithms that differ."""

    media: MediaDigest
    stored: dict[str, str]
    mismatched: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether all bytes were read and at least one stored digest covers them and all stored ones match."""
        return bool(self.stored) and not self.mismatched and not self.media.unreadable


def read_through(source: ByteSource, step: int = STEP) -> Iterator[tuple[int, bytes | int]]:
    """All of a source in order, in pieces of at most ``step`` bytes: (offset, bytes) or (offset, unreadable length)."""
    at = 0
    while at < source.size:
        end = min(at + step, source.size)
        try:
            data = source.read_at(at, end - at)
        except UnreadableBytes as problem:
            start = min(max(problem.offset, at), end - 1)
            if start > at:
                yield from _before(source, at, start)
            stop = min(max(problem.offset + problem.length, start + 1), source.size)
            while start < stop:
                length = min(step, stop - start)
                yield start, length
                start += length
            at = stop
            continue
        if not data:
            yield at, source.size - at
            return
        yield at, data
        at += len(data)


def _before(source: ByteSource, at: int, end: int) -> Iterator[tuple[int, bytes | int]]:
    try:
        data = source.read_at(at, end - at)
    except UnreadableBytes:
        data = b""
    if data:
        yield at, data
    if len(data) < end - at:
        yield at + len(data), end - at - len(data)


def digest_media(
    source: ByteSource, algorithms: Sequence[str], progress: Callable[[int], None] | None = None
) -> MediaDigest:
    """Read a source once from start to end and digest it.

    ``algorithms`` are names of `hashlib`. ``progress`` gets the number of bytes done after each piece.
    """
    states = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    unreadable: list[tuple[int, int]] = []
    # hashlib lets go of the interpreter: the algorithms run beside each other and beside the next read.
    with ThreadPoolExecutor(max(1, len(states))) as pool:
        running: list[Future[None]] = []
        for at, piece in read_through(source):
            data = bytes(piece) if isinstance(piece, int) else piece
            if isinstance(piece, int):
                _append(unreadable, at, piece)
            for task in running:
                task.result()
            running = [pool.submit(state.update, data) for state in states.values()]
            if progress:
                progress(at + len(data))
    return MediaDigest({name: state.hexdigest() for name, state in states.items()}, tuple(unreadable), source.size)


def _append(ranges: list[tuple[int, int]], at: int, length: int) -> None:
    if ranges and sum(ranges[-1]) == at:
        ranges[-1] = (ranges[-1][0], ranges[-1][1] + length)
    else:
        ranges.append((at, length))


def verify_media(
    container: Container, extra: Sequence[str] = (), progress: Callable[[int], None] | None = None
) -> MediaVerification:
    """Digest the media of any container with the algorithms of its stored digests and ``extra`` ones, and compare."""
    algorithms = tuple(dict.fromkeys([*container.stored_digests, *extra]))
    media = digest_media(container.source, algorithms, progress)
    stored = dict(container.stored_digests)
    mismatched = tuple(name for name, digest in stored.items() if media.digests[name] != digest)
    return MediaVerification(media, stored, mismatched)
