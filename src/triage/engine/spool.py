"""A stream of objects from a worker to the coordinator, through a file in the case's scratch folder.

What a worker had written when it died is not lost, nothing has to fit into memory, and neither waits for the other.
"""

import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from triage.errors import CaseError

_LENGTH: Final = struct.Struct("<Q")


class SpoolWriter:
    """The worker's end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, frame: object) -> None:
        """Add an object; the reader sees it at once, and whole.

        Raises:
            CaseError: the file cannot be written.
        """
        data = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
        try:
            self._file.write(_LENGTH.pack(len(data)) + data)
            self._file.flush()
        except OSError as error:
            raise CaseError(f"{self._file.name}: cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class SpoolReader:
    """The coordinator's end. The file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def frames(self) -> Iterator[Any]:
        """The objects that have come since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                (length,) = _LENGTH.unpack(head)
                data = file.read(length)
                if len(data) < length:
                    return
                self._at += _LENGTH.size + length
                # What is unpacked was packed by a worker of this very scan, in a folder that only it writes.
                yield pickle.loads(data)  # noqa: S301

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)
