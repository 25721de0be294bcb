"""Disks that stand on other files: parents, backing files and extents are found beside the image and nowhere else.

Names of those files are read out of evidence. One that leads out of the image's folder (``/etc/passwd``,
``..\\..\\x``, a symbolic link) would make this machine's own files look like evidence; only its last part is used.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.container import Doubt
from triage.evidence.files import FileSource
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

MAX_LAYERS: Final = 32
_SEPARATOR: Final = re.compile(r"[/\\]")


@dataclass(slots=True)
class Layers:
    """The files that one disk was opened from so far, the given one first, and the doubts met on the way."""

    files: list[Path]
    doubts: list[Doubt] = field(default_factory=list)

    def parent(self, of: Path, stated: str, role: str = "parent disk") -> Path:
        """The file that ``of`` names as its parent; it counts as opened.

        Raises:
            EvidenceError: it is not beside the image, is part of the chain already, or the chain is too long.
        """
        found = self.beside(of, stated)
        if found is None:
            raise EvidenceError(f"{of}: its {role} {stated!r} is looked for beside the image only and is not there")
        if found in self.files:
            raise EvidenceError(f"{of}: its {role} {stated!r} leads back to a disk of the same chain")
        if len(self.files) >= MAX_LAYERS:
            raise EvidenceError(f"{of}: more than {MAX_LAYERS} disks stand on each other")
        self.files.append(found)
        return found

    def beside(self, of: Path, stated: str) -> Path | None:
        """The regular file below the folder of ``of`` that ``stated`` names, by its relative path or its last part."""
        folder = of.parent.resolve()
        parts = [part for part in _SEPARATOR.split(stated) if part]
        if not parts or "\0" in stated:
            return None
        for names in (parts, parts[-1:]):
            try:
                found = folder.joinpath(*names).resolve()
                inside = found.is_relative_to(folder) and found.is_file()
            except (OSError, ValueError, RuntimeError):
                continue
            if inside:
                if names != parts or stated[0] in "/\\":
                    reason = f"{of.name} names {stated!r}; the file of that name beside it is used"
                    self.doubts.append((NoticeKind.REMARK, reason))
                return of.parent.joinpath(*names)
        return None


class MissingSource(ByteSource):
    """Bytes of a file that is not there; ``reason`` is told to whoever reads them."""

    def __init__(self, size: int, reason: str) -> None:
        self.size = size
        self._reason = reason

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        if min(length, self.size - offset) <= 0:
            return b""
        raise UnreadableBytes(self._reason, 0, self.size)


class ZeroSource(ByteSource):
    """Zeros, as a format declares them without storing them."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        return bytes(max(0, min(length, self.size - offset)))


class Concatenated(ByteSource):
    """Sources end to end; each is cut or padded with zeros to the size that stands with it."""

    def __init__(self, parts: list[tuple[ByteSource, int]]) -> None:
        self._parts = parts
        self.size = sum(size for _, size in parts)

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        found: list[bytes] = []
        start = 0
        for source, size in self._parts:
            if length <= 0:
                break
            if offset < start + size:
                step = min(length, start + size - offset)
                found.append(read_padded(source, offset - start, step, shift=start))
                offset, length = offset + step, length - step
            start += size
        return b"".join(found)

    def close(self) -> None:
        """See `ByteSource.close`."""
        for source, _ in self._parts:
            source.close()


def read_stored(file: FileSource, host: int, offset: int, length: int) -> bytes:
    """The bytes of media offset ``offset`` that an image's file holds at ``host``.

    Raises:
        UnreadableBytes: the file ends before; in media offsets.
    """
    data = file.read_at(host, length)
    if len(data) < length:
        message = f"{file.path.name}: media byte {offset} is stored at {host}, behind the end of the file"
        raise UnreadableBytes(message, offset, length)
    return data


def read_padded(source: ByteSource, offset: int, length: int, shift: int = 0) -> bytes:
    """``length`` bytes, zeros where the source has ended. ``shift`` is where the source starts in the caller's bytes.

    Raises:
        UnreadableBytes: with the range in the caller's bytes.
    """
    try:
        data = source.read_at(offset, length)
    except UnreadableBytes as problem:
        raise UnreadableBytes(str(problem), shift + problem.offset, problem.length) from problem
    return data if len(data) == length else data + bytes(length - len(data))
