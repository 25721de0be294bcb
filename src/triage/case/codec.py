"""Entries as rows of the store and back."""

import struct
from collections.abc import Sequence
from typing import Any, Final

from triage.case.rows import EntryRow, PlannedEntry, StoredEntry
from triage.evidence.entry import Entry, EntryTimes, Extent

ENTRY_COLUMNS: Final = (
    "id, evidence, volume, path, stream, type, name_type, address, size, flags, modified, accessed, changed, created, "
    "name_modified, name_accessed, name_changed, name_created, extents, mode, uid, gid, links, link_target, raw_path, "
    "container, odd"
)
ROW_COLUMNS: Final = f"{ENTRY_COLUMNS}, priority, physical, wanted"
"""The columns of an `triage.case.rows.EntryRow`."""
INSERT_ENTRY: Final = f"INSERT INTO entry ({ROW_COLUMNS}) VALUES ({','.join('?' * 30)})"  # noqa: S608

ODD: Final = 26
"""Place of the mark of a row whose values were made `storable`."""

_INT64: Final = 1 << 63
_WIDE: Final = 10**30
_NO_TIMES: Final = (None, None, None, None)


def wide(number: int) -> str:
    """Text for a number that does not fit 64 bits: ``+`` or ``-`` and digits, such that text order is number order.

    Needed because nanoseconds in 64 bits end in 1677 and 2262, and FILETIME values lie on both sides.

    >>> wide(1 << 63) < wide(1 << 64), wide(-(1 << 64)) < wide(-(1 << 63) - 1)
    (True, True)
    """
    return f"+{number:031d}" if number >= 0 else f"-{number + _WIDE:031d}"


def narrow(stored: int | str) -> int:
    """Inverse of `wide`; a number stays what it is.

    >>> narrow(wide(-(1 << 70))) == -(1 << 70)
    True
    """
    if isinstance(stored, int):
        return stored
    number = int(stored[1:])
    return number if stored.startswith("+") else number - _WIDE


def storable(value: object) -> object:
    """A value that SQLite takes: wide numbers as `wide` text, lone surrogates as ``\\udXXX`` text."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return wide(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def entry_values(planned: PlannedEntry) -> tuple[Any, ...]:
    """The values for `INSERT_ENTRY` behind id and evidence."""
    volume, entry, priority, physical, wanted = planned
    (path, kind, address, size, flags, times, extents, stream, name_type, mode, uid, gid, links, target, raw, names,
     container) = entry  # fmt: skip
    return (
        volume, path, stream, kind, name_type, address, size, int(flags), *times,
        *(_NO_TIMES if names is None else names), None if extents is None else _pack(extents),
        mode, uid, gid, links, target, raw, container, 0, priority, physical, 1 if wanted else 0,
    )  # fmt: skip


def fitting(row: EntryRow) -> EntryRow:
    """A row that SQLite takes: if need be every value is made `storable`, and the row marked so."""
    made = tuple(storable(value) for value in row)
    return row if made == row else (*made[:ODD], 1, *made[ODD + 1 :])


def row_size(row: EntryRow) -> int:
    """The size in bytes of the entry in a row of `ENTRY_COLUMNS`."""
    return narrow(row[8])


def stored_entry(row: EntryRow) -> StoredEntry:
    """An entry out of a row of `ENTRY_COLUMNS` (more columns may follow)."""
    if row[ODD]:
        row = tuple(narrow(v) if n in _NUMBERS and isinstance(v, str) else v for n, v in enumerate(row))
    (entry_id, evidence, volume, path, stream, kind, name_type, address, size, flags, m, a, c, b, nm, na, nc, nb,
     packed, mode, uid, gid, links, target, raw, container, _odd) = row[: ODD + 1]  # fmt: skip
    times = _new(EntryTimes, (m, a, c, b))
    names = None if nm is None and na is None and nc is None and nb is None else _new(EntryTimes, (nm, na, nc, nb))
    extents = None if packed is None else _unpack(packed)
    # `tuple.__new__` and not the constructor: a disk has millions of these.
    entry = _new(
        Entry,
        (path, kind, address, size, flags, times, extents, stream, name_type, mode, uid, gid, links, target, raw, names,
         container),
    )  # fmt: skip
    return _new(StoredEntry, (entry_id, evidence, volume, entry))


_new: Final = tuple.__new__
_NUMBERS: Final = frozenset((*range(8, 18), *range(19, 23)))


def _pack(extents: Sequence[Extent]) -> bytes:
    if len(extents) == 1:
        return _ONE.pack(*extents[0])
    return struct.pack(f"<{2 * len(extents)}q", *(number for extent in extents for number in extent))


_ONE: Final = struct.Struct("<2q")


def _unpack(blob: bytes) -> tuple[Extent, ...]:
    if len(blob) == _ONE.size:
        return (_new(Extent, _ONE.unpack(blob)),)
    return tuple(map(Extent._make, _ONE.iter_unpack(blob)))
