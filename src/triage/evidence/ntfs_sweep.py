"""A walk over NTFS that gives what The Sleuth Kit gives, in a fraction of the time.

TSK makes objects for every name, reads each record several times, and goes over all names twice for the sake of
orphans. Here the MFT is read once into columns, and TSK is asked only for records that are not of the usual make.
The order and the set of names are those of TSK: the index as it lies on disk with the names in its slack, then names
that only the MFT knows. `NotPlain` ends a sweep wherever equality is uncertain.
"""

from collections.abc import Iterator
from typing import Final

from triage.errors import EvidenceError
from triage.evidence import ntfs_names, ntfs_orphans, ntfs_records, ntfs_table
from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType, Extent
from triage.evidence.ntfs_index import NAME_ALLOCATED, ListedName, Listing
from triage.evidence.ntfs_records import Records
from triage.evidence.ntfs_runs import Geometry, NotPlain
from triage.evidence.ntfs_table import IN_USE, IS_DIRECTORY, Names, Row, Table
from triage.evidence.source import ByteSource
from triage.evidence.tsk_entry import EntryMaker
from triage.evidence.tsk_native import (
    META_UNALLOCATED,
    META_USED,
    NAME_UNALLOCATED,
    NTFS_DATA,
    NTFS_INDEX_ROOT,
    Meta,
    Name,
    NativeFileSystem,
    Run,
)

_ALLOCATED: Final = 1
_DOTS: Final = (b".", b"..")
_AT_ONCE: Final = 4096
_NO_TIMES: Final = (0,) * 8
_DELETED: Final = int(EntryFlag.DELETED)
_META_UNALLOCATED: Final = int(EntryFlag.META_UNALLOCATED)
_ORPHAN: Final = int(EntryFlag.ORPHAN)
_REALLOCATED: Final = int(EntryFlag.REALLOCATED)
_RESIDENT_FLAG: Final = int(EntryFlag.RESIDENT)
_FILE: Final = EntryType.FILE
_DIRECTORY: Final = EntryType.DIRECTORY
_SEVERAL: Final = ntfs_table.SEVERAL
_RESIDENT: Final = ntfs_table.RESIDENT
_ONE_RUN: Final = ntfs_table.ONE_RUN
_new: Final = tuple.__new__


def _shared(state: int) -> Meta:
    kind = _DIRECTORY if state & IS_DIRECTORY else _FILE
    flags = META_USED | (_ALLOCATED if state & IN_USE else META_UNALLOCATED)
    return Meta(0, 0, kind, flags, 0, 0, 0, 0, 0, b"", _NO_TIMES)


# What the walk asks of metadata before it makes an entry; the rest is in the row of the table.
_METAS: Final = tuple(_shared(state) for state in range(4))


class NtfsSweep:
    """Names and entries of one NTFS volume, read by `Table`; stands where `NativeFileSystem` and `EntryMaker` stand.

    Raises:
        NotPlain: here or later, the volume must be walked by TSK.
    """

    def __init__(self, native: NativeFileSystem, source: ByteSource, maker: EntryMaker) -> None:
        geometry = _geometry(native, source, maker)
        self.root = native.root
        self.orphans = native.orphans
        self._native = native
        self._maker = maker
        self._geometry = geometry
        self._table = Table(maker.mft_source(), geometry)
        self._records = Records(source, self._table, _bitmap(native))
        self._records.check_table()
        self._unused: set[int] = set()
        self._names: Names = self._table.take_names(self._odd_names())
        self._trail = ntfs_orphans.Trail(native.root)
        self._named: set[int] = set()

    def _odd_names(self) -> Iterator[tuple[int, int, bytes]]:
        for number in self._table.odd:
            meta = self._native.meta(number)
            if meta is None:
                raise NotPlain("a record of which TSK makes no sense")
            if not meta.flags & META_USED:
                self._unused.add(number)
            yield from self._records.names(number)

    def directory(self, address: int) -> Iterator[Name]:
        """The names in a directory with what they lead to, as `NativeFileSystem.directory` gives them."""
        if address == self.orphans:
            names = self._orphan_names()
        else:
            names = self.listing(address)
            self._trail.listed.add(address)
        for begin in range(0, len(names), _AT_ONCE):
            part = names[begin : begin + _AT_ONCE]
            for name, row in zip(part, self.rows(part), strict=True):
                yield self._resolved(address, name, row)

    def rows(self, names: list[ListedName]) -> list[Row]:
        """The row of each name's address; a row of zeros where there is no such record."""
        last = self._geometry.records
        numbers = [name[3] for name in names]
        if numbers and max(numbers) >= last:
            none = (0,) * len(ntfs_table.COLUMNS)
            return [self._table.row(number) if number < last else none for number in numbers]
        return self._table.rows_of(numbers)

    def _resolved(self, address: int, name: ListedName, row: Row) -> Name:
        raw, kind, flags, target, sequence = name
        state = row[1]
        if row[0] < _SEVERAL:
            found = self._left_to_tsk(name, row)
        elif not target and flags == NAME_UNALLOCATED:
            return Name(raw, kind, flags, target, None, False, None)
        elif sequence != (row[2] if state & IN_USE or not row[2] else row[2] - 1):
            return Name(raw, kind, flags, target, None, True, None)
        else:
            found = _new(Name, (raw, kind, flags, target, _METAS[state], False, row))
        meta = found.meta
        if meta is not None:
            if meta.flags & META_UNALLOCATED:
                self._named.add(target)
            leads_on = kind != _FILE and not (flags == NAME_UNALLOCATED and meta.flags & _ALLOCATED)
            if leads_on and meta.type != _FILE and target != self.orphans and raw not in _DOTS:
                self._trail.add(address, raw, target)
        return found

    def _left_to_tsk(self, name: ListedName, row: Row) -> Name:
        raw, kind, flags, target, sequence = name
        if not target and flags == NAME_UNALLOCATED:
            return Name(raw, kind, flags, target, None, False, None)
        if row[0] == ntfs_table.BAD and target != self.orphans:
            if not sequence:
                raise NotPlain("a name that leads to a torn record without a sequence number")
            return Name(raw, kind, flags, target, None, False, None)
        found = self._native.resolved(raw, kind, flags, target, sequence)
        if found.meta is None and not found.superseded:
            raise NotPlain("a name that leads to a record of which TSK makes no sense")
        return found

    def listing(self, address: int) -> list[ListedName]:
        """All names in a directory in the order of TSK, its own and its parent's first.

        Raises:
            NotPlain: the index is damaged, or TSK may read it otherwise.
        """
        kind, state, sequence, *_ = self._table.row(address)
        if not address or kind < ntfs_table.ODD:
            raise NotPlain("a directory that is none")
        in_use = bool(state & IN_USE)
        listing = Listing(address, self._geometry.records, not in_use)
        root, records = self._records.index(address, kind >= _SEVERAL)
        if address != self.root:
            flags = NAME_ALLOCATED if in_use else NAME_UNALLOCATED
            listing.add((b".", "d", flags, address, sequence if in_use else sequence - 1 & 0xFFFFFFFF))
            for parent, parent_sequence, _ in self._names.of(address):
                listing.add((b"..", "d", flags, parent, parent_sequence))
        below = listing.add_root(root)
        if records:
            listing.add_records(records, self._geometry.cluster)
        elif records is None and below:
            raise NotPlain("an index without its records")
        self._add_from_table(listing, sequence if in_use or not sequence else sequence - 1)
        if any(name[3] == self.orphans for name in listing.names):
            raise NotPlain("a name that leads to the directory of orphans")
        if address == self.root:
            listing.add((b"$OrphanFiles", "V", NAME_ALLOCATED, self.orphans, 0))
        return listing.names

    def _add_from_table(self, listing: Listing, sequence: int) -> None:
        """Add names whose parent is this directory, by the MFT, and that its index does not hold as live ones."""
        for target, stored in self._names.below(listing.address, sequence):
            if listing.holds(target, stored) and len(stored) <= ntfs_names.SHORT:
                continue
            if listing.knows(target, ntfs_names.of_record(stored)):
                continue
            _, state, number, *_ = self._table.row(target)
            flags = NAME_ALLOCATED if state & IN_USE else NAME_UNALLOCATED
            number = number if state & IN_USE else number - 1 & 0xFFFFFFFF
            for parent, _, other in self._names.of(target):
                if parent == listing.address:
                    shown = ntfs_names.in_listing(ntfs_names.of_record(other))
                    listing.add((shown, "-", flags, target, number))

    def first_name(self, number: int) -> bytes:
        """The first name of a record, as orphans bear it; empty if it has none."""
        found = self._names.of(number)
        return ntfs_names.in_listing(ntfs_names.of_record(found[0][2])) if found else b""

    def _orphan_names(self) -> list[ListedName]:
        for address in self._trail.missed():  # where the walk was stopped by a limit of its own
            for _ in self.directory(address):
                self._trail.check()
        self._trail.check()
        numbers = [number for number in self._table.deleted() if number not in self._unused]
        return ntfs_orphans.find(self, numbers, self._named)

    def is_directory(self, number: int) -> bool:
        """Whether a record is that of a directory."""
        return bool(self._table.row(number)[1] & IS_DIRECTORY)

    def sequence(self, number: int) -> int:
        """The sequence number of a record."""
        return self._table.row(number)[2]

    def entries(self, found: Name, path: str, raw_path: bytes, orphan: bool) -> list[Entry]:
        """The entries of a name that `directory` gave, as `EntryMaker.entries` makes them."""
        row = found.file
        if not isinstance(row, tuple):
            return self._maker.entries(found, path, raw_path, orphan)
        kind, state, _, links, mode, stream, uid, size, at, m, a, c, b, name_m, name_a, name_c, name_b = row
        flags = _DELETED if found.flags & NAME_UNALLOCATED else 0
        if orphan:
            flags |= _ORPHAN
        if not state & IN_USE:
            flags |= _META_UNALLOCATED
        elif flags & _DELETED:
            flags |= _REALLOCATED
        times, name_times = _new(EntryTimes, (m, a, c, b)), _new(EntryTimes, (name_m, name_a, name_c, name_b))
        extents: tuple[Extent, ...] | None = None
        letter, attribute = _FILE, NTFS_DATA
        if kind == _ONE_RUN:
            extents = (_new(Extent, (at, size)),)
        elif kind == _SEVERAL:
            return self._several(found, row, path, raw_path, flags, times, name_times)
        else:
            flags |= _RESIDENT_FLAG
            if kind != _RESIDENT:
                letter, attribute = _DIRECTORY, NTFS_INDEX_ROOT
        entry = _new(Entry, (
            path, letter, f"{found.address}-{attribute}-{stream}", size, flags, times, extents, "", found.type, mode,
            uid, 0, links, "", raw_path, name_times, "",
        ))  # fmt: skip
        return [entry]

    def _several(
        self, found: Name, row: Row, path: str, raw_path: bytes, flags: int, times: EntryTimes, name_times: EntryTimes
    ) -> list[Entry]:
        streams, valid = ntfs_records.streams(self._table.record(found.address), self._geometry)
        _, state, sequence, links, mode, _, uid, *_ = row
        shared = _METAS[state]
        meta = Meta(found.address, sequence, shared.type, shared.flags, 0, mode, uid, 0, links, b"", _NO_TIMES)
        return self._maker.stream_entries(found, meta, streams, path, raw_path, flags, times, name_times, valid)


def _bitmap(native: NativeFileSystem) -> tuple[Run, ...]:
    try:
        found = [part.runs for part in native.attributes(ntfs_records.BITMAP) if part.type == NTFS_DATA]
    except EvidenceError as problem:
        raise NotPlain("a bitmap of which TSK makes no sense") from problem
    return found[0] if found else ()


def _geometry(native: NativeFileSystem, source: ByteSource, maker: EntryMaker) -> Geometry:
    """Sizes of the volume, if its master file table lies as it should."""
    cluster, size = native.block_size, maker.mft_record_size
    if native.type != "ntfs" or not maker.mft_extents:
        raise NotPlain("not an NTFS volume whose master file table is known")
    boot = source.read_at(0, 512)
    if boot[3:11] != b"NTFS    " or boot[510:] != b"\x55\xaa":
        raise NotPlain("a boot sector that TSK may read in another way")
    clusters = native.block_count
    end = min(clusters, source.size // cluster) * cluster
    total = 0
    for at, length in maker.mft_extents:
        # TSK reads a record that goes on in another run from two places, each of them a whole cluster.
        if at <= 0 or at + length > end or (total % size and length < size):
            raise NotPlain("a master file table with holes or out of the volume")
        total += length
    if total // size != native.orphans:
        raise NotPlain("a master file table of another size")
    return Geometry(cluster, size, clusters, end, native.orphans)
