"""POSIX file modes."""

from typing import Final

from triage.evidence.entry import EntryType

_TYPES: Final = {
    0o010000: EntryType.FIFO,
    0o020000: EntryType.CHARACTER_DEVICE,
    0o040000: EntryType.DIRECTORY,
    0o060000: EntryType.BLOCK_DEVICE,
    0o100000: EntryType.FILE,
    0o120000: EntryType.SYMLINK,
    0o140000: EntryType.SOCKET,
    0o160000: EntryType.WHITEOUT,
}


def entry_type(mode: int) -> str:
    """The `EntryType` letter of a mode, by its type bits.

    >>> entry_type(0o100644)
    'r'
    """
    return _TYPES.get(mode & 0o170000, EntryType.UNKNOWN)
