"""The typed face of pyfsapfs: nothing else of the suite imports it, and no untyped value leaves this module.

Taken directly rather than through dfvfs, which wraps the same library: its path specifications, one for each entry and
resolved again for each access, cannot sit on a `ByteSource`, and it does not give extents of attributes.

libfsapfs gives the creation time as modification time and the reverse: its header ``fsapfs_file_system.h`` names the
fields of an inode in another order than Apple's reference (``create_time``, ``mod_time``, ``change_time``,
``access_time``). Measured against ``istat`` and against the bytes on two volumes, 57 inodes, with release 20260921; the
sources of 20240429 have it too. `NativeFile.times` puts them right.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, ParamSpec, Protocol, TypeVar

import pyfsapfs

from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, EntryTimes, Extent
from triage.evidence.filelike import LibrarySource, SourceFile
from triage.evidence.source import ByteSource

_ERRORS: Final = (OSError, ValueError, OverflowError, MemoryError)
_NEWEST_MEASURED: Final = "20260921"
_SPARSE: Final = 1  # LIBFSAPFS_EXTENT_FLAG_IS_SPARSE
_BLOCK: Final = 65_536  # the largest block of a container; an extent may end that much beyond the file
_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Stream(Protocol):
    """What file entries and attributes of pyfsapfs have in common."""

    def get_size(self) -> int: ...
    def get_number_of_extents(self) -> int: ...
    def get_extent(self, index: int) -> tuple[int, int, int]: ...
    def read_buffer_at_offset(self, size: int, offset: int) -> bytes: ...


class _Attribute(_Stream, Protocol):
    def get_name(self) -> str: ...


class _File(_Stream, Protocol):
    def get_name(self) -> str: ...
    def get_identifier(self) -> int: ...
    def get_file_mode(self) -> int: ...
    def get_owner_identifier(self) -> int: ...
    def get_group_identifier(self) -> int: ...
    def get_number_of_links(self) -> int: ...
    def get_symbolic_link_target(self) -> str | None: ...
    def get_modification_time_as_integer(self) -> int | None: ...
    def get_access_time_as_integer(self) -> int | None: ...
    def get_inode_change_time_as_integer(self) -> int | None: ...
    def get_creation_time_as_integer(self) -> int | None: ...
    def get_number_of_sub_file_entries(self) -> int: ...
    def get_sub_file_entry(self, index: int) -> "_File": ...
    def get_number_of_extended_attributes(self) -> int: ...
    def get_extended_attribute(self, index: int) -> _Attribute: ...
    def get_extended_attribute_by_name(self, name: str) -> _Attribute | None: ...


class _Volume(Protocol):
    def get_name(self) -> str | None: ...
    def get_identifier(self) -> str: ...
    def is_locked(self) -> bool: ...
    def set_password(self, password: str) -> None: ...
    def set_recovery_password(self, password: str) -> None: ...
    def unlock(self) -> bool: ...
    def get_root_directory(self) -> _File: ...
    def get_file_entry_by_identifier(self, identifier: int) -> _File: ...


@dataclass(frozen=True, slots=True)
class NativeAttribute:
    """An extended attribute. ``extents`` is `None` if it lies inside the metadata, or where they do not tell all."""

    name: str
    size: int
    extents: tuple[Extent, ...] | None
    own_blocks: bool
    head: bytes


class NativeFile:
    """One file entry of the library; every method turns the library's errors into `EvidenceError`."""

    def __init__(self, native: _File, keep: object) -> None:
        self._native = native
        self._keep = keep

    @property
    def identifier(self) -> int:
        """Object identifier, the inode number of APFS."""
        return _call(self._native.get_identifier)

    def name(self) -> str:
        """Name of the entry as stored (NFC and NFD are not changed)."""
        return _call(self._native.get_name)

    def size(self) -> int:
        """Size of the content in bytes, decompressed."""
        return _call(self._native.get_size)

    def mode(self) -> int:
        """POSIX mode with the type bits."""
        return _call(self._native.get_file_mode)

    def owner(self) -> tuple[int, int]:
        """User and group."""
        return _call(self._native.get_owner_identifier), _call(self._native.get_group_identifier)

    def links(self) -> int:
        """Number of names of a file; of a directory the number of names in it."""
        return _call(self._native.get_number_of_links)

    def link_target(self) -> str:
        """What a symbolic link says, empty if it is none."""
        return _call(self._native.get_symbolic_link_target) or ""

    def times(self) -> EntryTimes:
        """The four times in ns; 0 is an empty slot."""
        native = self._native
        getters = (
            native.get_creation_time_as_integer,  # is what the volume holds as modification, see the top of this module
            native.get_access_time_as_integer,
            native.get_inode_change_time_as_integer,
            native.get_modification_time_as_integer,
        )
        return EntryTimes(*(_signed(_call(getter)) for getter in getters))

    def extents(self) -> tuple[Extent, ...] | None:
        """Where the content lies in the container, see `NativeAttribute`."""
        return _extents(self._native)

    def children(self) -> Iterator["NativeFile | EvidenceError"]:
        """Entries of a directory in stored order; an error stands for each that cannot be read."""
        try:
            count = _call(self._native.get_number_of_sub_file_entries)
        except EvidenceError as error:
            yield error
            return
        for index in range(count):
            try:
                yield NativeFile(_call(self._native.get_sub_file_entry, index), self._keep)
            except EvidenceError as error:
                yield error

    def attributes(self) -> Iterator[NativeAttribute]:
        """Extended attributes."""
        for index in range(_call(self._native.get_number_of_extended_attributes)):
            found = _call(self._native.get_extended_attribute, index)
            yield NativeAttribute(
                _call(found.get_name),
                _call(found.get_size),
                _extents(found),
                _call(found.get_number_of_extents) > 0,
                _call(found.read_buffer_at_offset, 16, 0),
            )

    def content(self, name: str, attribute: str = "") -> ByteSource:
        """Bytes of the file, or of its extended attribute; ``name`` goes into messages."""
        if not attribute:
            return LibrarySource(self._native, self.size(), name, self._keep)
        found = _call(lambda: self._native.get_extended_attribute_by_name(attribute))
        if found is None:
            raise EvidenceError(f"{name}: no attribute {attribute}")
        return LibrarySource(found, _call(found.get_size), name, (self._keep, self._native))


class NativeVolume:
    """One volume of a container."""

    def __init__(self, native: _Volume, keep: object) -> None:
        self._native = native
        self._keep = keep
        self.name = _call(native.get_name) or ""
        self.identifier = _call(native.get_identifier)
        self.encrypted = self.is_locked()

    def is_locked(self) -> bool:
        """Whether the content is still encrypted."""
        return _call(self._native.is_locked)

    def unlock(self, secret: str, recovery: bool = False) -> bool:
        """Try a password (or a personal recovery key); true if the volume is open now. May be called again."""
        _call(lambda: (self._native.set_recovery_password if recovery else self._native.set_password)(secret))
        return not self.is_locked() or (_call(self._native.unlock) and not self.is_locked())

    def root(self) -> NativeFile:
        """The root directory."""
        return NativeFile(_call(self._native.get_root_directory), (self._keep, self._native))

    def file(self, identifier: int) -> NativeFile:
        """The file entry with an object identifier."""
        return NativeFile(
            _call(lambda: self._native.get_file_entry_by_identifier(identifier)), (self._keep, self._native)
        )


def open_volumes(source: ByteSource) -> list[NativeVolume]:
    """The volumes of the APFS container that ``source`` is.

    Raises:
        EvidenceError: the library cannot open it.
    """
    container = pyfsapfs.container()
    file = SourceFile(source)
    _call(lambda: container.open_file_object(file))
    count: int = _call(container.get_number_of_volumes)
    return [NativeVolume(_call(container.get_volume, n), (container, file)) for n in range(count)]


def doubtful_times() -> str:
    """A sentence for whoever reads times if the installed library is newer than the newest one measured, else empty."""
    version: str = pyfsapfs.get_version()
    if version <= _NEWEST_MEASURED:
        return ""
    return (
        f"libfsapfs {version} was not compared with other readers (up to {_NEWEST_MEASURED} was):"
        " creation and modification times may be exchanged"
    )


def _call(function: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    try:
        return function(*arguments, **options)
    except _ERRORS as error:
        raise EvidenceError(f"APFS: {error}") from error


def _signed(stored: int | None) -> int | None:
    if not stored:
        return None
    return stored - (1 << 64) if stored >= 1 << 63 else stored


def _extents(stream: _Stream) -> tuple[Extent, ...] | None:
    """The extents cut to the size; `None` if there are none or they do not cover it as an unbroken run would."""
    size, found = _call(stream.get_size), []
    left = size
    for index in range(_call(stream.get_number_of_extents)):
        offset, length, flags = _call(stream.get_extent, index)
        if left <= 0 or length <= 0:
            return None
        found.append(Extent(HOLE if flags & _SPARSE else offset, min(length, left)))
        left -= length
    return tuple(found) if found and -_BLOCK < left <= 0 else None
