"""The one adapter to libarchive, which unpacks what has no decoder here: RAR, and some methods of 7z.

The library comes with the package ``archi``, whose own interface is not used: it reads whole archives into memory.
Where that is missing, the one of the system is taken; where there is none either, members are named and not unpacked.
It is C code over hostile input, so it only runs in worker processes, which may die over a file.

Reference: libarchive's manual, ``archive_read(3)``.
"""

import ctypes
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.archives.decoders import Stored, Undecodable
from triage.evidence.archives.job import Fault, Job, Unpacked
from triage.evidence.archives.window import STEP
from triage.evidence.source import ByteSource
from triage.notices import NoticeKind

_NAMES: Final = ("libarchive.so.13", "libarchive.13.dylib", "libarchive.dylib", "archiveint.dll")
_EOF: Final = 1
_WARN: Final = -20
_FATAL: Final = -30
_READ = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))
_SEEK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int)
_SKIP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_SIGNATURES: Final[dict[str, tuple[object, tuple[object, ...]]]] = {
    "archive_read_new": (ctypes.c_void_p, ()),
    "archive_read_free": (ctypes.c_int, (ctypes.c_void_p,)),
    "archive_read_support_format_rar": (ctypes.c_int, (ctypes.c_void_p,)),
    "archive_read_support_format_rar5": (ctypes.c_int, (ctypes.c_void_p,)),
    "archive_read_support_format_7zip": (ctypes.c_int, (ctypes.c_void_p,)),
    "archive_read_set_read_callback": (ctypes.c_int, (ctypes.c_void_p, _READ)),
    "archive_read_set_seek_callback": (ctypes.c_int, (ctypes.c_void_p, _SEEK)),
    "archive_read_set_skip_callback": (ctypes.c_int, (ctypes.c_void_p, _SKIP)),
    "archive_read_set_callback_data": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p)),
    "archive_read_open1": (ctypes.c_int, (ctypes.c_void_p,)),
    "archive_read_next_header": (ctypes.c_int, (ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))),
    "archive_read_data": (ctypes.c_ssize_t, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)),
    "archive_error_string": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "archive_entry_size": (ctypes.c_int64, (ctypes.c_void_p,)),
}


def _candidates() -> Iterator[str]:
    spec = importlib.util.find_spec("archi")
    if spec is not None and spec.origin:
        beside = Path(spec.origin).parent
        for folder in ("archi.libs", "archi/.dylibs", ".dylibs"):
            yield from sorted(str(path) for path in (beside / folder).glob("*archive*"))
    yield from _NAMES


@cache
def library() -> ctypes.CDLL | None:
    """The library with its functions declared, or `None` if this machine has none."""
    for name in _candidates():
        try:
            found = ctypes.CDLL(name)
            for function, (result, arguments) in _SIGNATURES.items():
                declared = getattr(found, function)
                declared.restype, declared.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        return found
    return None


class _Reading:
    """An archive open in libarchive, entries one after the other."""

    def __init__(self, found: ctypes.CDLL, source: ByteSource, formats: tuple[str, ...]) -> None:
        self._library = found
        self._source = source
        self._at = 0
        self._kept = ctypes.create_string_buffer(STEP)
        self._buffer = ctypes.create_string_buffer(STEP)
        # Kept, for the library does not keep Python objects alive.
        self._callbacks: tuple[object, ...] = (_READ(self._read), _SEEK(self._seek), _SKIP(self._skip))
        self._archive: int | None = found.archive_read_new()
        for name in formats:
            getattr(found, f"archive_read_support_format_{name}")(self._archive)
        found.archive_read_set_read_callback(self._archive, self._callbacks[0])
        found.archive_read_set_seek_callback(self._archive, self._callbacks[1])
        found.archive_read_set_skip_callback(self._archive, self._callbacks[2])
        found.archive_read_set_callback_data(self._archive, None)  # without which opening follows a null pointer
        self._check(found.archive_read_open1(self._archive))

    def next(self) -> int | None:
        """Go to the next entry: its size, or `None` behind the last.

        Raises:
            Undecodable: the library gives up.
        """
        entry = ctypes.c_void_p()
        result = self._library.archive_read_next_header(self._archive, ctypes.byref(entry))
        if result == _EOF:
            return None
        self._check(result)
        size: int = self._library.archive_entry_size(entry)
        return size

    def data(self) -> Iterator[bytes]:
        """The content of the current entry.

        Raises:
            Undecodable: the library gives up.
        """
        while True:
            got = self._library.archive_read_data(self._archive, self._buffer, STEP)
            if got <= 0:
                self._check(got)
                return
            yield ctypes.string_at(self._buffer, got)

    def close(self) -> None:
        """Give everything back."""
        if self._archive is not None:
            self._library.archive_read_free(self._archive)
            self._archive = None
        self._callbacks = ()

    def _check(self, result: int) -> None:
        if result >= _WARN:
            return
        text = (self._library.archive_error_string(self._archive) or b"no reason given").decode("utf-8", "replace")
        lower = text.lower()
        kind = NoticeKind.DAMAGED
        if "encrypt" in lower:
            kind = NoticeKind.ENCRYPTED
        elif any(word in lower for word in ("support", "unknown", "unexpected codec")):
            kind = NoticeKind.UNSUPPORTED
        raise Undecodable(f"libarchive: {text}", kind)

    def _read(self, _archive: object, _data: object, target: "ctypes._Pointer[ctypes.c_void_p]") -> int:
        try:
            data = self._source.read_at(self._at, STEP)
        except EvidenceError:
            return _FATAL
        ctypes.memmove(self._kept, data, len(data))
        target[0] = ctypes.cast(self._kept, ctypes.c_void_p)
        self._at += len(data)
        return len(data)

    def _seek(self, _archive: object, _data: object, offset: int, whence: int) -> int:
        base = (0, self._at, self._source.size)[whence] if whence in (0, 1, 2) else -1
        if base < 0 or not 0 <= base + offset <= self._source.size:
            return _FATAL
        self._at = base + offset
        return self._at

    def _skip(self, _archive: object, _data: object, wanted: int) -> int:
        skipped = max(0, min(wanted, self._source.size - self._at))
        self._at += skipped
        return skipped


def _up_to(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """No more than shows that there is too much."""
    for piece in pieces:
        yield piece
        size -= len(piece)
        if size < 0:
            return


class Paired:
    """Contents out of libarchive for members that were listed without it, told apart by their order.

    What it yields is only taken for a member's if size and CRC-32 are those of the member.
    """

    def __init__(self, job: Job, *formats: str) -> None:
        self._job = job
        self._formats = formats
        self._reading: _Reading | None = None
        self._index = -1
        self._failed: Fault | None = None

    def content(self, index: int, size: int, crc: int | None) -> Unpacked | Fault:
        """The content of entry ``index`` (from 0); indexes must rise."""
        found = library()
        if found is None:
            return Fault(NoticeKind.UNSUPPORTED, "libarchive, which would unpack it, is not on this machine")
        try:
            claimed = self._to(found, index)
        except Undecodable as problem:
            self._failed = Fault(problem.kind, str(problem))
        if self._failed is not None or self._reading is None:
            return self._failed or Fault(NoticeKind.DAMAGED, "libarchive does not open the archive")
        if claimed != size:
            return Fault(NoticeKind.DAMAGED, "libarchive finds another member in its place")
        unpacked = self._job.unpack(Stored(), _up_to(self._reading.data(), size))
        if unpacked.fault is not None:
            return unpacked
        if unpacked.size != size or (crc is not None and unpacked.crc != crc):
            return unpacked._replace(fault=Fault(NoticeKind.DAMAGED, "its size or check value does not match"))
        return unpacked

    def _to(self, found: ctypes.CDLL, index: int) -> int | None:
        if self._reading is None and self._failed is None:
            self._reading = _Reading(found, self._job.window, self._formats)
        size: int | None = None
        while self._reading is not None and self._failed is None and self._index < index:
            size = self._reading.next()
            self._index += 1
            if size is None:
                self._failed = Fault(NoticeKind.DAMAGED, "libarchive finds fewer members")
        return size

    def close(self) -> None:
        """Give the library's memory back."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None
