"""The file to be imported: how it begins, and streams of the whole of it."""

import codecs
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from triage.hashsets.entry import ListFacts, PlainEntries, SetEntry

if TYPE_CHECKING:
    # Exists for type checkers only.
    from _typeshed import WriteableBuffer

HEAD: Final = 65_536
"""Bytes by which a format is recognised."""
_BLOCK: Final = 1 << 18
_LONGEST_LINE: Final = 1 << 20
_UNCLOSED: Final = 10_000
"""Brackets. From some 100,000 that are nested, the C parser of JSON overflows the stack; names hold a few unpaired."""
_UNITS: Final = 64
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

Opened = tuple[ListFacts, Iterator[SetEntry]]
OpenedInBulk = tuple[ListFacts, Iterator[SetEntry | PlainEntries]]


class Readable(Protocol):
    """What is read from: ``read(size)`` gives at most so many bytes, and none at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """A file by its beginning.

    ``head`` are its first bytes as they are, ``text`` the same decoded, without byte-order mark. ``encoding`` is UTF-8
    or UTF-16 by byte-order mark or by the look of the bytes, else ISO-8859-1, which no bytes contradict.
    """

    path: Path
    head: bytes
    text: str
    encoding: str
    open: Callable[[], io.BufferedIOBase]
    """Opens the file, or the member of an archive, anew as it is."""
    member: bool = False
    """Whether it lies in an archive, so that only a pass from the beginning can reach its end."""

    def utf8(self) -> io.BufferedReader:
        """The whole text as UTF-8 without byte-order mark; what cannot be decoded is U+FFFD."""
        return io.BufferedReader(_Utf8(self.open(), self.encoding), _BLOCK)

    def head_lines(self) -> list[str]:
        """The lines at the beginning, with their ends; a last one that is cut off is left out."""
        lines = list(io.StringIO(self.text, newline=""))
        return lines[:-1] if len(self.head) >= HEAD and len(lines) > 1 else lines

    @property
    def line_end(self) -> bytes:
        """What ends a line; there may be a CR before it that counts no more than a space."""
        return b"\r" if "\n" not in self.text and "\r" in self.text else b"\n"

    def lines(self) -> Iterator[bytes]:
        """All lines in UTF-8, without their ends. One longer than 1 MiB comes in pieces."""
        end = self.line_end
        for piece in self.pieces():
            yield from piece.removesuffix(end).split(end)

    def pieces(self) -> Iterator[bytes]:
        """All of it in UTF-8, many lines at a time; only a line longer than 1 MiB is divided."""
        end = self.line_end
        # Bytes that are no UTF-8 stand in names of files only, so UTF-8 need not be checked.
        with self.open() if self.encoding == "utf-8" else self.utf8() as stream:
            rest = stream.read(_BLOCK).removeprefix(codecs.BOM_UTF8)
            while rest:
                whole = rest.rfind(end) + 1
                if whole:
                    yield rest[:whole]
                    rest = rest[whole:]
                if len(rest) > _LONGEST_LINE:
                    yield rest
                    rest = b""
                block = stream.read(_BLOCK)
                if not block:
                    break
                rest += block
            if rest:
                yield rest


def sample_of(path: Path, opener: Callable[[], io.BufferedIOBase] | None = None) -> Sample:
    """Read how a file begins, or a member of an archive that ``opener`` opens."""
    opening = opener or (lambda: path.open("rb"))
    with opening() as stream:
        head = stream.read(HEAD)
    encoding = _encoding(head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return Sample(path, head, text.removeprefix("\ufeff"), encoding, opening, opener is not None)


def member_opener(path: Path, name: str) -> Callable[[], io.BufferedIOBase]:
    """Opens a member of a zip archive as a stream."""

    def opening() -> io.BufferedIOBase:
        with zipfile.ZipFile(path) as archive:
            # The member keeps the archive's file open for itself.
            return io.BufferedReader(_Member(archive.open(name)), _BLOCK)

    return opening


class Watched:
    """A stream for a parser that gathers one item at a time: nothing may make it gather without end.

    Call `mark` when an item is complete. More than ``largest`` bytes since then, or 10,000 opening brackets that
    nothing closes, raise `ValueError`.
    """

    def __init__(self, stream: Readable, largest: int) -> None:
        self._stream, self._largest, self._read, self._open = stream, largest, 0, 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        block = self._stream.read(size if 0 <= size < _BLOCK else _BLOCK)
        self._read += len(block)
        self._open += block.count(b"[") + block.count(b"{") - block.count(b"]") - block.count(b"}")
        if self._read > self._largest or self._open > _UNCLOSED:
            raise ValueError(f"an entry is larger than {self._largest >> 20} MiB or nested without end")
        return block

    def mark(self) -> None:
        """An item is complete."""
        self._read = self._open = 0


def _encoding(head: bytes) -> str:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    # ASCII in UTF-16 has a zero in every other byte.
    units = head[: 2 * _UNITS]
    if len(units) >= 8:
        low, high = units[::2], units[1::2]
        if not any(high) and all(low):
            return "utf-16-le"
        if not any(low) and all(high):
            return "utf-16-be"
    with suppress(UnicodeDecodeError):
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return "utf-8"
    return "latin-1"


class _Utf8(io.RawIOBase):
    """Text in any encoding as UTF-8."""

    def __init__(self, stream: io.BufferedIOBase, encoding: str) -> None:
        self._stream, self._left = stream, b""
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._begun = self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._left and not self._ended:
            block = self._stream.read(_BLOCK)
            self._ended = not block
            text = self._decoder.decode(block, self._ended)
            if not self._begun and text:
                self._begun, text = True, text.removeprefix("\ufeff")
            self._left = text.encode()
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Member(io.RawIOBase):
    """A member of a zip archive, as the raw stream that a buffer needs."""

    def __init__(self, member: Readable) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        block = self._member.read(len(view))
        view[: len(block)] = block
        return len(block)
