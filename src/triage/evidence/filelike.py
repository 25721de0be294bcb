"""Between our `ByteSource` and the Python file objects that C libraries (libyal, TSK) want: one adapter each way."""

import io
from abc import abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Protocol

from triage.errors import EvidenceError
from triage.evidence.source import ByteSource, UnreadableBytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK: Final = 64 << 10
_BLOCKS: Final = 64


class SourceFile(io.RawIOBase):
    """A read-only, seekable file object over a byte source, with the extra methods that libyal asks for.

    Bytes that cannot be had raise `OSError`, because that is what C libraries turn into their own error.
    """

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source = source
        self._at = 0

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes from the current position, all that is left without a size."""
        left = max(0, self._source.size - self._at)
        length = left if size is None or size < 0 else min(size, left)
        if length == 0:
            return b""
        try:
            data = self._source.read_at(self._at, length)
        except EvidenceError as error:
            raise OSError(str(error)) from error
        self._at += len(data)
        return data

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """See `io.RawIOBase.readinto`."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase.seek`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError(f"seek to {base + offset}, before the start")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Current position in bytes."""
        return self._at

    def get_offset(self) -> int:
        """As `tell`; libyal's name for it."""
        return self._at

    def get_size(self) -> int:
        """Size of the source in bytes; libyal asks for it before it reads."""
        return self._source.size

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True


class PositionedReader(Protocol):
    """The part of libyal's volume and store objects that reads."""

    def read_buffer_at_offset(self, size: int, offset: int) -> bytes:
        """Bytes at an offset."""


class BlockCache:
    """Whole aligned blocks, the most recently used kept: file-system code asks for a few bytes at a time."""

    def __init__(self, blocks: int = _BLOCKS) -> None:
        self._blocks = blocks
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def get(self, number: int) -> bytes | None:
        """The block, if it is kept."""
        data = self._kept.get(number)
        if data is not None:
            self._kept.move_to_end(number)
        return data

    def put(self, number: int, data: bytes) -> None:
        """Keep a block and let the oldest go."""
        self._kept[number] = data
        if len(self._kept) > self._blocks:
            self._kept.popitem(last=False)


class BlockSource(ByteSource):
    """Base of sources that must be computed (decrypted, put together) block by block; caches aligned blocks.

    ``granule`` is the smallest unit, in bytes, that can be computed on its own.
    """

    def __init__(self, size: int, block: int = _BLOCK, blocks: int = _BLOCKS, granule: int = 512) -> None:
        self.size = size
        self._granule = granule
        self._block = block
        self._cache = BlockCache(blocks)

    @abstractmethod
    def _load(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes at ``offset``, which is a multiple of the granule.

        Raises:
            UnreadableBytes: they cannot be had.
        """

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        try:
            return self._read_blocks(offset, length)
        except UnreadableBytes:
            # Something in these blocks cannot be had; what was asked for may lie beside it.
            unit = self._granule
            start, end = offset // unit * unit, min(-(-(offset + length) // unit) * unit, self.size)
            return self._load(start, end - start)[offset - start :][:length]

    def _read_blocks(self, offset: int, length: int) -> bytes:
        first, last = offset // self._block, (offset + length - 1) // self._block
        if last - first >= 4:  # large reads would only wash the cache out
            start = first * self._block
            data = self._load(start, min((last + 1) * self._block, self.size) - start)
        else:
            data = b"".join(self._cached(number) for number in range(first, last + 1))
        skip = offset - first * self._block
        return data[skip : skip + length]

    def _cached(self, number: int) -> bytes:
        data = self._cache.get(number)
        if data is None:
            start = number * self._block
            data = self._load(start, min(self._block, self.size - start))
            self._cache.put(number, data)
        return data


class LibrarySource(BlockSource):
    """The bytes that a libyal object (decrypted volume, logical volume, shadow copy) yields.

    ``keep`` holds whatever must live as long as the object does, such as the handle and the file object it reads
    from.
    """

    def __init__(self, reader: PositionedReader, size: int, name: str, keep: object = None) -> None:
        super().__init__(size)
        self._reader = reader
        self._name = name
        self._keep = keep

    def _load(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length > 0:
            try:
                data = self._reader.read_buffer_at_offset(length, offset)
            except OSError as error:
                cause = str(error).partition(". ")[0]
                raise UnreadableBytes(f"{self._name} at {offset}: {cause}", offset, length) from error
            if not data:
                raise UnreadableBytes(f"{self._name} at {offset}: the library returns nothing", offset, length)
            parts.append(data)
            offset, length = offset + len(data), length - len(data)
        return b"".join(parts)
