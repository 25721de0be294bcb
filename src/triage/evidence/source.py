"""The bytes of evidence: a `ByteSource` has a size and can be read at an offset, and that is all."""

from abc import ABC, abstractmethod
from typing import Final

from triage.errors import EvidenceError

COPY_STEP: Final = 1 << 20


class UnreadableBytes(EvidenceError):
    """Bytes of a source that cannot be had: a bad sector, a damaged chunk, a missing segment.

    ``offset`` and ``length`` (bytes, in the source that was asked) bound what is lost; neighbours may be readable.
    """

    def __init__(self, message: str, offset: int, length: int) -> None:
        super().__init__(message)
        self.offset = offset
        self.length = length

    def moved(self, by: int) -> "UnreadableBytes":
        """The same loss, in the coordinates of a source in which it lies ``by`` bytes further on."""
        return UnreadableBytes(str(self), self.offset + by, self.length)

    def __reduce__(self) -> tuple[type["UnreadableBytes"], tuple[str, int, int]]:
        return UnreadableBytes, (str(self), self.offset, self.length)


class ByteSource(ABC):
    """Random read access to a run of bytes that never changes."""

    size: int
    """Length in bytes."""

    @abstractmethod
    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes in ``[offset, offset + length)``, fewer only where the source ends.

        Raises:
            UnreadableBytes: some of them cannot be had.
        """

    def close(self) -> None:
        """Give back what the operating system lent; reading afterwards is an error. Sources without such do nothing."""
        return


class MemorySource(ByteSource):
    """Bytes that are already in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        return self._data[offset : offset + length]


class Slice(ByteSource):
    """A part of another source, such as a partition. Slices of slices read from the outermost source directly."""

    def __init__(self, source: ByteSource, offset: int, size: int) -> None:
        if isinstance(source, Slice):
            size = min(size, source.size - offset)
            offset, source = source.offset + offset, source.source
        self.source: ByteSource = source
        self.offset: int = offset
        self.size = max(0, min(size, source.size - offset))

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        try:
            return self.source.read_at(self.offset + offset, length)
        except UnreadableBytes as error:
            raise error.moved(-self.offset) from error


def physical_offset(source: ByteSource, offset: int) -> int:
    """Where ``offset`` of ``source`` lies in the outermost source known; good enough to order reads by."""
    return source.offset + offset if isinstance(source, Slice) else offset
