"""Where unpacked bytes are kept: in memory as long as they are few, then in a file without a name."""

import tempfile
from pathlib import Path
from typing import IO

from isal import isal_zlib

from triage.evidence.files import read_exactly
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes


class Spool:
    """Collects one member; ``size`` in bytes so far, ``crc`` the CRC-32 of them."""

    def __init__(self, scratch: Path, memory: int) -> None:
        self._scratch = scratch
        self._memory = memory
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0
        self.crc = 0

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            OSError: the scratch folder does not take it.
        """
        self.crc = isal_zlib.crc32(data, self.crc)
        self.size += len(data)
        if self._file is None:
            self._parts.append(data)
            if self.size <= self._memory:
                return
            self._file = tempfile.TemporaryFile(dir=self._scratch, buffering=0)  # noqa: SIM115 - closed by `close`
            data = b"".join(self._parts)
            self._parts.clear()
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def source(self) -> ByteSource:
        """What was written; of a file, valid until `close`."""
        if self._file is None:
            return MemorySource(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        return _SpoolSource(self._file, self.size)

    def close(self) -> None:
        """Give the file back, and with it its bytes."""
        if self._file is not None:
            self._file.close()
        self._parts.clear()


class _SpoolSource(ByteSource):
    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        try:
            return read_exactly(self._file, offset, length)
        except (OSError, ValueError) as problem:  # ValueError: closed
            raise UnreadableBytes(f"unpacked bytes cannot be read back: {problem}", offset, length) from problem
