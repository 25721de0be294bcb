"""The bytes of a logical volume out of stripes on physical volumes."""

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from triage.evidence.source import ByteSource, UnreadableBytes


class Stripe(NamedTuple):
    """A run on a physical volume ``disk`` from ``offset`` (bytes) on; ``source`` is `None` if the disk is missing."""

    disk: str
    source: ByteSource | None
    offset: int


class Segment(NamedTuple):
    """``size`` bytes laid in chunks of ``chunk`` bytes over the stripes in turn."""

    size: int
    chunk: int
    stripes: tuple[Stripe, ...]


class LogicalSource(ByteSource):
    """Segments one after the other."""

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        self._starts = [0, *accumulate(segment.size for segment in segments)]
        self.size = self._starts[-1]

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        end = min(offset + length, self.size)
        parts: list[bytes] = []
        while offset < end:
            index = bisect_right(self._starts, offset) - 1
            segment, inside = self._segments[index], offset - self._starts[index]
            chunk, within = divmod(inside, segment.chunk)
            step = min(end - offset, segment.chunk - within, segment.size - inside)
            row, column = divmod(chunk, len(segment.stripes))
            parts.append(self._read(segment.stripes[column], row * segment.chunk + within, step, offset))
            offset += step
        return b"".join(parts)

    def _read(self, stripe: Stripe, at: int, length: int, offset: int) -> bytes:
        if stripe.source is None:
            raise UnreadableBytes(f"physical volume {stripe.disk} is not in this evidence", offset, length)
        data = stripe.source.read_at(stripe.offset + at, length)
        if len(data) < length:
            raise UnreadableBytes(
                f"physical volume {stripe.disk} ends too early", offset + len(data), length - len(data)
            )
        return data
