"""What MFT records hold and pytsk3 does not hand out: $FILE_NAME times, full-range times, and valid data lengths.

This runs once for each file, so records are read in place, without putting back the ends of their sectors (the update
sequence), unless a field that is needed lies there.

Layout of records and attributes: Russon and Fledel, "NTFS Documentation" (linux-ntfs), and TSK ``tsk_ntfs.h``.
FILETIME counts 100 ns since 1601-01-01T00:00:00Z.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from triage.errors import EvidenceError
from triage.evidence.entry import EntryTimes
from triage.evidence.mft_blocks import BLOCK, MftBlocks
from triage.evidence.source import UnreadableBytes

_STANDARD_INFORMATION: Final = 0x10
_ATTRIBUTE_LIST: Final = 0x20
_FILE_NAME: Final = 0x30
_DATA: Final = 0x80
_END: Final = 0xFFFFFFFF
_DOS_NAMESPACE: Final = 2

_HEADER: Final = struct.Struct("<4xHH12xH")  # update sequence: offset, count; offset of the first attribute
_BASE: Final = struct.Struct("<32xQ")
_ATTRIBUTE: Final = struct.Struct("<IIBBH2xH")  # type, length, non-resident, name length and offset, id
_start_of_attribute: Final = struct.Struct("<IIB").unpack_from
_RESIDENT: Final = struct.Struct("<IH")  # length and offset of the value, at 16
_NONRESIDENT: Final = struct.Struct("<Q24xQQ")  # first cluster, size, valid size, at 16
_NAME: Final = struct.Struct("<8xQQQQ25xB")  # created, modified, changed, accessed, namespace
_TIMES: Final = struct.Struct("<QQQQ")
_first_attribute: Final = struct.Struct("<20xH34xII").unpack_from  # offset of it; type and length of what is at 56
_name_attribute: Final = struct.Struct("<IIB11xH10xQQQQ25xB").unpack_from
"""Type, length, non-resident and offset of the value; `_NAME` if the value is at 24."""
_USUAL_LENGTHS: Final = (72, 96)
"""Of $STANDARD_INFORMATION, before and since NTFS 3."""
_LIST_ENTRY: Final = struct.Struct("<IH10xQ")  # type, length, record reference
_REFERENCE_MASK: Final = (1 << 48) - 1

_STRIDE: Final = 512
_UNIX_EPOCH: Final = 116_444_736_000_000_000
_MOST_EXTENSIONS: Final = 256
_LONGEST_LIST: Final = 256 << 10
_UNREAD: Final = (b"", 0)


class RecordFacts(NamedTuple):
    """Facts of one file record.

    ``name_times`` are those of the last $FILE_NAME that is not a DOS name, which is the one that TSK shows. ``valid``
    gives, for data streams whose end was never written, the bytes that were, by stream name.
    """

    name_times: EntryTimes | None
    valid: dict[str, int]


_ALL_VALID: Final[dict[str, int]] = {}
_NONE: Final = RecordFacts(None, _ALL_VALID)


def unix_ns(filetime: int) -> int | None:
    """Nanoseconds since 1970 of a FILETIME; `None` for 0, which stands for no time.

    >>> unix_ns(116444736000000001), unix_ns(0)
    (100, None)
    """
    return (filetime - _UNIX_EPOCH) * 100 if filetime else None


def record_size(boot: bytes) -> int:
    """Bytes per MFT record by the boot sector; 0 if it makes no sense."""
    sector, per_cluster = struct.unpack_from("<HB", boot, 11)
    clusters = struct.unpack_from("<b", boot, 64)[0]
    if per_cluster > 0x80:  # large clusters: a negative power of two
        per_cluster = 1 << (256 - per_cluster & 31)
    size = 1 << -clusters if clusters < 0 else clusters * sector * per_cluster
    return size if size in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536) else 0


class Mft:
    """Records of a master file table.

    ``blocks`` hold its bytes, ``size`` is that of a record, and ``read_list(record, attribute, size)`` reads a list of
    attributes that is stored outside of its record.
    """

    def __init__(self, blocks: MftBlocks, size: int, read_list: Callable[[int, int, int], bytes]) -> None:
        self._blocks = blocks
        self._size = size
        self._read_list = read_list

    def facts(self, number: int) -> RecordFacts:
        """What record ``number`` says; nothing if it cannot be read or makes no sense."""
        block, at = self._place(number)
        if not block:
            return _NONE
        found = self._facts(block, at)
        if found is None:
            found = self._facts(_fixed(block[at : at + self._size]), 0, exact=True)
        if found is None:
            return _NONE
        facts, list_at = found
        if list_at:
            name_times, valid = facts[0], dict(facts[1])
            for extension in self._extensions(number, list_at):
                more = self._facts(extension, 0, exact=True)
                if more is not None:
                    name_times = more[0][0] or name_times
                    valid.update(more[0][1])
            return RecordFacts(name_times, valid)
        return facts

    def times(self, number: int) -> EntryTimes | None:
        """The times of $STANDARD_INFORMATION in record ``number``; `None` if there are none."""
        record = self._record(number)
        for kind, at, length, nonresident in _attributes(record):
            if kind == _STANDARD_INFORMATION and not nonresident:
                skip = _RESIDENT.unpack_from(record, at + 16)[1]
                if skip + 32 > length:
                    return None
                created, modified, changed, accessed = map(unix_ns, _TIMES.unpack_from(record, at + skip))
                return EntryTimes(modified, accessed, changed, created)
        return None

    def _facts(  # noqa: C901 - one loop over the attributes, run for every file
        self, block: bytes, begin: int, exact: bool = False
    ) -> tuple[RecordFacts, int] | None:
        """What the record says, offset of the attribute list; `None` if the record must be `_fixed` first."""
        if not block:
            return None
        name_times: EntryTimes | None = None
        valid = _ALL_VALID
        list_at = 0
        end = begin + self._size
        first, kind, length = _first_attribute(block, begin)
        at = begin + first
        if first == 56 and kind == _STANDARD_INFORMATION and length in _USUAL_LENGTHS:
            # Most records begin like this: a short cut past what the loop does, in the first sector.
            at += length
            kind, length, nonresident, value, *times = _name_attribute(block, at)
            if kind == _FILE_NAME and not nonresident and value == 24 and length >= 90 and at + length <= end:
                name_times = _name_times(*times)
                at += length
        while at + 24 <= end:
            if at % _STRIDE > _STRIDE - 26 and not exact:
                return None
            kind, length, nonresident = _start_of_attribute(block, at)
            if kind == _END or length < 24 or at + length > end:
                break
            if kind == _FILE_NAME and not nonresident:
                value = at + block[at + 20] + (block[at + 21] << 8)
                if value % _STRIDE > _STRIDE - 68 and not exact:
                    return None
                if value + 66 <= at + length:
                    name_times = _name_times(*_NAME.unpack_from(block, value)) or name_times
            elif kind == _DATA and nonresident and length >= 64:
                if at % _STRIDE > _STRIDE - 66 and not exact:
                    return None
                first, size, written = _NONRESIDENT.unpack_from(block, at + 16)
                if written < size and not first:
                    if not exact:
                        return None
                    _, _, _, name_length, name_at, _ = _ATTRIBUTE.unpack_from(block, at)
                    name = block[at + name_at : at + name_at + 2 * name_length]
                    valid = {**valid, name.decode("utf-16-le", "replace"): written}
            elif kind == _ATTRIBUTE_LIST:
                list_at = at - begin
            at += length
        return RecordFacts(name_times, valid), list_at

    def _place(self, number: int) -> tuple[bytes, int]:
        """A block of the table and where in it the record begins."""
        size = self._size
        index, skip = divmod(number * size, BLOCK)
        try:
            block = self._blocks.block(index)
        except UnreadableBytes:
            # The rest of the block may be readable.
            return self._alone(number), 0
        return (block, skip) if skip + size <= len(block) else _UNREAD

    def _alone(self, number: int) -> bytes:
        try:
            record = self._blocks.read(number * self._size, self._size)
        except UnreadableBytes:
            return b""
        return record if len(record) == self._size else b""

    def _record(self, number: int) -> bytes:
        block, at = self._place(number)
        return _fixed(block[at : at + self._size])

    def _extensions(self, number: int, at: int) -> Iterator[bytes]:
        seen = {number, 0}
        for reference in self._references(number, at):
            if reference in seen or len(seen) > _MOST_EXTENSIONS:
                continue
            seen.add(reference)
            extension = self._record(reference)
            if extension and _BASE.unpack_from(extension)[0] & _REFERENCE_MASK == number:
                yield extension

    def _references(self, number: int, at: int) -> Iterator[int]:
        record = self._record(number)
        if len(record) < at + 64:
            return
        _, _, nonresident, _, _, attribute = _ATTRIBUTE.unpack_from(record, at)
        if nonresident:
            size = min(_NONRESIDENT.unpack_from(record, at + 16)[1], _LONGEST_LIST)
            try:
                entries = self._read_list(number, attribute, size)
            except EvidenceError:
                return
        else:
            length, skip = _RESIDENT.unpack_from(record, at + 16)
            entries = record[at + skip : at + skip + length]
        place = 0
        while place + _LIST_ENTRY.size <= len(entries):
            _, step, reference = _LIST_ENTRY.unpack_from(entries, place)
            if not step:
                return
            yield reference & _REFERENCE_MASK
            place += step


def _name_times(created: int, modified: int, changed: int, accessed: int, namespace: int) -> EntryTimes | None:
    """The times of a $FILE_NAME; `None` if it is a DOS name."""
    if namespace == _DOS_NAMESPACE:
        return None
    if created == modified == changed == accessed:  # as they are when a file is made
        ns = (created - _UNIX_EPOCH) * 100 if created else None
        return EntryTimes(ns, ns, ns, ns)
    return EntryTimes(
        (modified - _UNIX_EPOCH) * 100 if modified else None,
        (accessed - _UNIX_EPOCH) * 100 if accessed else None,
        (changed - _UNIX_EPOCH) * 100 if changed else None,
        (created - _UNIX_EPOCH) * 100 if created else None,
    )


def _attributes(record: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Type, offset, length and non-resident flag of each attribute that fits."""
    if not record:
        return
    at = _HEADER.unpack_from(record)[2]
    while at + 24 <= len(record):
        kind, length, nonresident, _, _, _ = _ATTRIBUTE.unpack_from(record, at)
        if kind == _END or length < 24 or at + length > len(record):
            return
        yield kind, at, length, nonresident
        at += length


def _fixed(stored: bytes) -> bytes:
    """A record with the ends of its sectors put back, which NTFS keeps in the update sequence; empty if they misfit."""
    size = len(stored)
    if not size:
        return b""
    at, count, _ = _HEADER.unpack_from(stored)
    if not count or at + count * 2 > size or (count - 1) * _STRIDE > size:
        return b""
    mark = stored[at : at + 2]
    record = bytearray(stored)
    for end in range(_STRIDE, count * _STRIDE, _STRIDE):
        at += 2
        if stored[end - 2 : end] != mark:
            return b""
        record[end - 2 : end] = stored[at : at + 2]
    return bytes(record)
