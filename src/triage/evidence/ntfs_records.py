"""Single MFT records, for what `triage.evidence.ntfs_table` does not hold: streams, indexes, attribute lists.

Layout: Russon and Fledel, "NTFS Documentation" (linux-ntfs), and TSK ``tsk_ntfs.h``.
"""

import struct
from collections.abc import Iterator
from typing import Final

from triage.evidence import ntfs_names, ntfs_runs
from triage.evidence.ntfs_runs import Geometry, NotPlain
from triage.evidence.ntfs_table import Table
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.evidence.tsk_native import (
    ATTRIBUTE_COMPRESSED,
    ATTRIBUTE_ENCRYPTED,
    ATTRIBUTE_NONRESIDENT,
    ATTRIBUTE_RESIDENT,
    ATTRIBUTE_SPARSE,
    NTFS_ATTRIBUTE_LIST,
    NTFS_DATA,
    NTFS_INDEX_ROOT,
    Attribute,
    Run,
)

BITMAP: Final = 6
"""Record of $Bitmap."""
_INFORMATION: Final = 0x10
_NAME: Final = 0x30
_INDEX_ALLOCATION: Final = 0xA0
_END: Final = 0xFFFFFFFF
_DOS_NAMESPACE: Final = 2
_IN_USE: Final = 1
_MASK: Final = (1 << 48) - 1
_ALLOCATED: Final = 1
"""``TSK_FS_ATTR_INUSE``, which every attribute of a file has."""
_FLAGS: Final = ((0x0001, ATTRIBUTE_COMPRESSED), (0x4000, ATTRIBUTE_ENCRYPTED), (0x8000, ATTRIBUTE_SPARSE))
_MOST_EXTENSIONS: Final = 256
_LONGEST_LIST: Final = 1 << 20
_LONGEST_INDEX: Final = 128 << 20
_STREAMS: Final = (NTFS_DATA, NTFS_INDEX_ROOT)

_head = struct.Struct("<IIBBHHH").unpack_from  # type, length, non-resident, name length and place, flags, id
_resident = struct.Struct("<16xIH").unpack_from  # length and place of the value
_nonresident = struct.Struct("<16xQ8xHH4xQQQ").unpack_from  # first cluster, runs, unit; allocated, size, valid
_list_entry = struct.Struct("<IHB9xQ").unpack_from  # type, length, name length, reference


def attributes(record: bytes, extension: bool = False) -> Iterator[tuple[int, int, int, bool]]:
    """Type, place, length and whether it is resident of each attribute up to where TSK stops.

    In an ``extension`` it looks at their names more closely.
    """
    at, size = int.from_bytes(record[20:22], "little"), len(record)
    while at + 16 <= size:
        kind, length, outside, units, name_at, _, _ = _head(record, at)
        if kind == _END or not length or at + length > size or name_at > length:
            return
        if extension and units > (length - name_at) // 2:
            return
        if outside:
            runs_at = int.from_bytes(record[at + 32 : at + 34], "little")
            if at + 64 > size or not 48 <= runs_at < length:
                return
        yield kind, at, length, not outside
        at += length


def streams(record: bytes, geometry: Geometry) -> tuple[tuple[Attribute, ...], dict[str, int]]:
    """The data streams and index roots of a well-formed record, and the valid data lengths of those never filled."""
    found: list[Attribute] = []
    valid: dict[str, int] = {}
    for kind, at, length, inside in attributes(record):
        if kind not in _STREAMS:
            continue
        _, _, _, units, name_at, stored, number = _head(record, at)
        stored_name = record[at + name_at : at + name_at + 2 * units]
        # TSK takes a name for empty that ends where its attribute ends.
        name = ntfs_names.stream_name(stored_name) if 0 < 2 * units < length - name_at else b""
        if inside:
            size, _ = _resident(record, at)
            found.append(Attribute(kind, number, name, size, _ALLOCATED | ATTRIBUTE_RESIDENT, ()))
            continue
        _, runs_at, unit, _, size, written = _nonresident(record, at)
        flags = _ALLOCATED | ATTRIBUTE_NONRESIDENT
        flags |= sum(theirs for ours, theirs in _FLAGS if stored & ours and (unit or theirs != ATTRIBUTE_COMPRESSED))
        runs = ntfs_runs.decode(record[at + runs_at : at + length], geometry)
        found.append(Attribute(kind, number, name, size, flags, runs))
        if kind == NTFS_DATA and written < size:
            valid[stored_name.decode("utf-16-le", "replace")] = written
    return tuple(found), valid


class Records:
    """Records that may go on in others, by their attribute lists, over ``table`` in the volume ``source``."""

    def __init__(self, source: ByteSource, table: Table, bitmap: tuple[Run, ...]) -> None:
        self._source = source
        self._bitmap = bitmap
        self._looked_up: set[int] = set()
        self._table = table
        self._geometry = table.geometry

    def names(self, number: int) -> Iterator[tuple[int, int, bytes]]:
        """Record, parent with its sequence number, and UTF-16 of the names of a file that TSK can open.

        Raises:
            NotPlain: what TSK makes of them is uncertain.
        """
        for count, (_, record) in enumerate(self._pieces(number)):
            before = 0
            for kind, at, length, inside in attributes(record, extension=count > 0):
                if kind == _NAME:
                    if count and before not in (0, _INFORMATION, _NAME):
                        raise NotPlain("a name behind other attributes")
                    value, units = self._name(record, at, length, inside)
                    if record[value + 65] != _DOS_NAMESPACE:
                        parent = int.from_bytes(record[value : value + 8], "little")
                        yield number, parent, record[value + 66 : value + 66 + 2 * units]
                before = kind

    def index(self, number: int, plain: bool) -> tuple[bytes, bytes | None]:
        """The value of the $INDEX_ROOT of directory ``number``, and its INDX records if it has such an attribute.

        ``plain`` says that all is in one well-formed record.

        Raises:
            NotPlain: TSK cannot read them, or may read them otherwise.
        """
        pieces = [(number, self._table.record(number))] if plain else self._pieces(number)
        root: tuple[int, bytes] | None = None
        parts: list[tuple[int, bytes, int, int]] = []
        for count, (_, record) in enumerate(pieces):
            for kind, at, length, inside in attributes(record, extension=count > 0):
                if kind == NTFS_INDEX_ROOT:
                    number = _head(record, at)[6]
                    if root is not None and not plain:
                        raise NotPlain("several indexes")
                    if root is None or number < root[0]:
                        root = number, _value(record, at, length, inside)
                elif kind == _INDEX_ALLOCATION:
                    if inside:
                        raise NotPlain("INDX records inside of the MFT")
                    parts.append((_head(record, at)[6], record, at, length))
        if root is None:
            raise NotPlain("a directory without an index")
        if plain and len(parts) > 1:
            parts = [min(parts, key=lambda part: part[0])]
        return root[1], self._outside(parts, _LONGEST_INDEX, to_the_end=True) if parts else None

    def _pieces(self, number: int) -> list[tuple[int, bytes]]:
        """The record and its extensions with their numbers, in the order in which TSK reads them."""
        base = self._table.record(number)
        lists = [(at, length, inside) for kind, at, length, inside in attributes(base) if kind == NTFS_ATTRIBUTE_LIST]
        if not lists:
            return [(number, base)]
        at, length, inside = lists[0]
        if len(lists) > 1 or self._table.geometry.record > 4096:
            raise NotPlain("several attribute lists")
        if inside:
            entries = _value(base, at, length, inside)
        else:
            entries = self._outside([(0, base, at, length)], _LONGEST_LIST, to_the_end=False)
        found = [(number, base)]
        for reference in _references(entries, number):
            extension = self._extension(reference, number, base)
            if extension:
                found.append((reference, extension))
        return found

    def _extension(self, reference: int, number: int, base: bytes) -> bytes:
        if not 0 < reference < self._geometry.records:
            return b""
        record = self._table.record(reference)
        if not record or int.from_bytes(record[20:22], "little") > len(record):
            return b""
        if int.from_bytes(record[32:38], "little") != number:
            if record[22] & base[22] & _IN_USE:
                raise NotPlain("an attribute list leads to another file")
            return b""
        if any(kind == NTFS_ATTRIBUTE_LIST for kind, _, _, _ in attributes(record, extension=True)):
            raise NotPlain("an attribute list in an extension")
        return record

    def _outside(self, parts: list[tuple[int, bytes, int, int]], most: int, to_the_end: bool) -> bytes:
        """What a non-resident attribute holds, ``to_the_end`` of its clusters or of its size."""
        runs: list[Run] = []
        wanted = clusters = 0
        for count, (_, record, at, length) in enumerate(parts):
            first, runs_at, _, allocated, size, valid = _nonresident(record, at)
            if first != clusters or _head(record, at)[5] or (valid < size and not to_the_end):
                raise NotPlain("pieces of an attribute that do not fit")
            if not count:
                wanted = (allocated or size) if to_the_end else size
            piece = ntfs_runs.decode(record[at + runs_at : at + length], self._geometry)
            clusters += sum(run.length for run in piece)
            runs += piece
        if wanted > min(most, clusters * self._geometry.cluster):
            raise NotPlain("an attribute without enough clusters")
        return b"".join(self._run(run, wanted, at) for at, run in _placed(runs, self._geometry.cluster) if at < wanted)

    def _run(self, run: Run, wanted: int, at: int) -> bytes:
        cluster = self._geometry.cluster
        length = min(run.length * cluster, wanted - at)
        begin = run.address * cluster
        # TSK reads whole clusters.
        if run.flags or begin + (length + cluster - 1) // cluster * cluster > self._geometry.end:
            raise NotPlain("clusters that are not there")
        self._look_up(run)
        data = self._read(begin, length)
        if len(data) != length:
            raise NotPlain("clusters that are not there")
        return data

    def _look_up(self, run: Run) -> None:
        """Make sure that the bits of these clusters can be read: TSK looks them up, and tells if it could not."""
        bits = self._geometry.cluster * 8
        for index in range(run.address // bits, (run.address + run.length - 1) // bits + 1):
            if index in self._looked_up:
                continue
            self._looked_up.add(index)
            for part in self._bitmap:
                if part.offset <= index < part.offset + part.length:
                    self._read((part.address + index - part.offset) * self._geometry.cluster, self._geometry.cluster)

    def _read(self, at: int, length: int) -> bytes:
        try:
            return self._source.read_at(at, length)
        except UnreadableBytes as lost:
            raise NotPlain("clusters that cannot be read") from lost

    def check_table(self) -> None:
        """Make sure that TSK found the whole MFT when it opened the volume, one piece after the other.

        Raises:
            NotPlain: perhaps it did not.
        """
        (_, base), *extensions = self._pieces(0)
        parts = [(at, length) for kind, at, length, inside in attributes(base) if kind == NTFS_DATA and not inside]
        if not extensions:
            return
        at, length = parts[0] if len(parts) == 1 else (0, 0)
        first, runs_at, *_ = _nonresident(base, at)
        runs = ntfs_runs.decode(base[at + runs_at : at + length], self._geometry)
        known = sum(run.length for run in runs) * self._geometry.cluster // self._geometry.record
        if not length or first or max(number for number, _ in extensions) >= known:
            raise NotPlain("a master file table in pieces that tell of each other")

    @staticmethod
    def _name(record: bytes, at: int, length: int, inside: bool) -> tuple[int, int]:
        value = int.from_bytes(record[at + 20 : at + 22], "little")
        size = int.from_bytes(record[at + 16 : at + 20], "little")
        if not inside or value < 24 or value + 66 > length or value + size > length:
            raise NotPlain("a name that is cut off")
        units = record[at + value + 64]
        if value + 66 + 2 * units > length:
            raise NotPlain("a name that is cut off")
        return at + value, units


def _placed(runs: list[Run], cluster: int) -> Iterator[tuple[int, Run]]:
    at = 0
    for run in runs:
        yield at, run
        at += run.length * cluster


def _value(record: bytes, at: int, length: int, inside: bool) -> bytes:
    size, value = _resident(record, at) if length >= 24 else (0, 0)
    if not inside or value < 24 or value + size > length:
        raise NotPlain("a value that is cut off")
    return record[at + value : at + value + size]


def _references(entries: bytes, number: int) -> list[int]:
    """Other records that an attribute list names, each once."""
    found: dict[int, None] = {}
    at, size = 0, len(entries)
    while at + 26 <= size:
        _, length, units, reference = _list_entry(entries, at)
        if not length or at + length > size or at + 26 + 2 * units > size:
            break
        if reference & _MASK != number:
            found[reference & _MASK] = None
        at += length
    if len(found) > _MOST_EXTENSIONS:
        raise NotPlain("a long attribute list")
    return list(found)
