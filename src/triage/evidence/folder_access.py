"""Reaching names below a folder without following a link and, where the system allows, without touching access times.

On POSIX every path is walked name by name with ``openat`` and ``O_NOFOLLOW``, so that nothing leads out of the folder,
not even a link that is put in place meanwhile, and paths may be longer than the system's limit. Windows has no such
calls: there names are joined, and reparse points that stand for something else count as links.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_AT: Final = os.open in os.supports_dir_fd
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_ATIME: Final = getattr(os, "O_NOATIME", 0)
_DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
_STEP: Final = _DIRECTORY | _NO_FOLLOW | getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0)
# Not blocking, because a pipe may have taken the place of a file.
_READ: Final = (
    os.O_RDONLY
    | _NO_FOLLOW
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_NAME_SURROGATE: Final = 0x20000000  # winnt.h: the reparse point stands for another name (link, junction)


class Directory:
    """One open directory below the root."""

    def __init__(self, root: Path, parts: Sequence[str], descriptor: int | None) -> None:
        self._path = root.joinpath(*parts)
        self._descriptor = descriptor

    def names(self) -> list[str]:
        """Names in it, in the order of their bytes."""
        if self._descriptor is None:
            return sorted((path.name for path in self._path.iterdir()), key=os.fsencode)
        with os.scandir(self._descriptor) as items:
            return sorted((item.name for item in items), key=os.fsencode)

    def status(self, name: str) -> os.stat_result:
        """What the system says of a name itself, not of what it links to."""
        if self._descriptor is None:
            return (self._path / name).lstat()
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def link_target(self, name: str) -> str:
        """What a symbolic link says."""
        if self._descriptor is None:
            return str((self._path / name).readlink())
        return os.readlink(name, dir_fd=self._descriptor)


@contextmanager
def directory(root: Path, parts: Sequence[str]) -> Iterator[Directory]:
    """The directory that ``parts`` name below ``root``.

    Raises:
        OSError: it cannot be opened, or is no directory any more.
    """
    if not _AT:
        yield Directory(root, parts, None)
        return
    descriptor = _open(root, parts, _READ | _DIRECTORY)
    try:
        yield Directory(root, parts, descriptor)
    finally:
        os.close(descriptor)


def open_file(root: Path, parts: Sequence[str]) -> int:
    """A descriptor for reading the file that ``parts`` name below ``root``.

    Raises:
        OSError: it cannot be opened, or a link stands in the way.
    """
    return _open(root, parts, _READ)


def is_link(status: os.stat_result) -> bool:
    """Whether a name stands for another one."""
    return stat.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE)


def _open(root: Path, parts: Sequence[str], flags: int) -> int:
    if not _AT or not parts:
        return _open_quietly(str(root.joinpath(*parts)), flags, None)
    descriptor = os.open(root, _STEP)
    try:
        for part in parts[:-1]:
            above, descriptor = descriptor, os.open(part, _STEP, dir_fd=descriptor)
            os.close(above)
        return _open_quietly(parts[-1], flags, descriptor)
    finally:
        os.close(descriptor)


def _open_quietly(name: str, flags: int, descriptor: int | None) -> int:
    """Open without a trace in the access time, which only owners may; others leave the trace that the mount allows."""
    try:
        return os.open(name, flags | _NO_ATIME, dir_fd=descriptor)
    except PermissionError:
        return os.open(name, flags, dir_fd=descriptor)
