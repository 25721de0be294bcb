"""Directory indexes of NTFS ($I30), with the names that are left in their slack, in the reading of The Sleuth Kit.

Layout of $INDEX_ROOT, of INDX records and of their entries: Russon and Fledel, "NTFS Documentation" (linux-ntfs), and
TSK ``tsk_ntfs.h``. Which bytes of the slack pass for a deleted entry is TSK's choice: it goes on in steps of four
bytes from what is no entry, and doubts what lies past the end that the index gives.
"""

import struct
from typing import Final

from triage.evidence.ntfs_names import converted, name_hash
from triage.evidence.ntfs_runs import NotPlain
from triage.evidence.tsk_native import NAME_UNALLOCATED

NAME_ALLOCATED: Final = 1
ListedName = tuple[bytes, str, int, int, int]
"""A name, the letter of its type, its flags, the address it leads to and the sequence number that this must have."""

_FILE_NAME: Final = 0x30
_MAGIC: Final = b"INDX"
_STRIDE: Final = 512
_RECORD_HEAD: Final = 40
_LIST_AT: Final = 24
_ROOT_LIST_AT: Final = 16
_SMALLEST: Final = 83
_NAME_AT: Final = 82
_DOS_NAMESPACE: Final = 2
_DIRECTORY_FLAG: Final = 0x10000000
_MASK: Final = (1 << 48) - 1
_MOST_NAMES: Final = 900_000
_FIRST_TIME: Final = 116_444_736_000_000_000
_LAST_TIME: Final = 132_217_921_000_000_000
"""1970-01-01 and 100 s past 2019-12-26, between which TSK trusts the times of a deleted entry."""

_list_head = struct.Struct("<IIII").unpack_from  # begin, end of the entries and of the buffer, flags
_entry = struct.Struct("<QHH4xQQQ8xQQQQBB").unpack_from
"""Reference, length, length of the key; parent, created, modified, accessed, allocated and real size, flags, name."""


class Listing:
    """The names of one directory, each pair of name and address once, a live one in place of a deleted one."""

    def __init__(self, address: int, last: int, deleted: bool) -> None:
        self.address = address
        self.names: list[ListedName] = []
        self._places: dict[tuple[int, bytes], int] = {}
        self._by_target: dict[int, list[int]] = {}
        """Places in ``names`` by address, once `knows` needed them."""
        self._last = last
        self._deleted = deleted
        self._parent = address.to_bytes(6, "little")

    def add(self, name: ListedName) -> None:
        """Put ``name`` at the end, unless it is there."""
        self._put(_key(name[0]), name)

    def holds(self, target: int, stored: bytes) -> bool:
        """Whether a live name for ``target`` is in UTF-16 ``stored``, which is neither odd nor long."""
        place = self._places.get((target, stored))
        return place is not None and self.names[place][2] == NAME_ALLOCATED

    def _put(self, key: bytes, name: ListedName) -> None:
        place = self._places.setdefault((name[3], key), len(self.names))
        if place == len(self.names):
            self.names.append(name)
            if self._by_target:
                self._by_target.setdefault(name[3], []).append(place)
        elif name[2] == NAME_ALLOCATED and self.names[place][2] == NAME_UNALLOCATED:
            self.names[place] = name

    def knows(self, target: int, name: bytes) -> bool:
        """Whether a live name for ``target`` has the hash of ``name``, which is all that TSK compares."""
        if not self._by_target:
            for place, known in enumerate(self.names):
                self._by_target.setdefault(known[3], []).append(place)
        found = [self.names[place] for place in self._by_target.get(target, ())]
        live = {name_hash(other[0]) for other in found if other[2] == NAME_ALLOCATED}
        return bool(live) and name_hash(name) in live

    def add_root(self, value: bytes) -> bool:
        """Add what the value of an $INDEX_ROOT holds; returns whether it says that there are INDX records.

        Raises:
            NotPlain: it makes no sense.
        """
        if len(value) < _ROOT_LIST_AT + 16 or int.from_bytes(value[:4], "little") != _FILE_NAME:
            raise NotPlain("no index of names")
        begin, end, room, flags = _list_head(value, _ROOT_LIST_AT)
        if not begin <= end <= room <= len(value) - _ROOT_LIST_AT:
            raise NotPlain("an index root has wrong bounds")
        at = _ROOT_LIST_AT
        self._entries(value, at + begin, at + room, at + end)
        return bool(flags & 1)

    def add_records(self, stored: bytes, cluster: int) -> None:
        """Add what INDX records hold, each of which begins at a cluster and reaches up to the next.

        Raises:
            NotPlain: one of them is damaged.
        """
        size = len(stored)
        if size % cluster or size < _RECORD_HEAD:
            raise NotPlain("an index ends within a cluster")
        begins = [at for at in range(0, size, cluster) if stored.startswith(_MAGIC, at)]
        limits = [*begins[1:], size][: len(begins)]
        content = bytearray(stored)
        for at, limit in zip(begins, limits, strict=True):
            _put_back(content, at, limit)
        whole = bytes(content)
        for at, limit in zip(begins, limits, strict=True):
            begin, end, _, _ = _list_head(whole, at + _LIST_AT)
            first, last = at + _LIST_AT + begin, at + _LIST_AT + end
            if first > limit or not first <= last <= limit:
                raise NotPlain("an index record has wrong bounds")
            self._entries(whole, first, limit, last)

    def _entries(self, content: bytes, at: int, limit: int, end: int) -> None:
        """Entries from ``at`` on; those past ``end`` are deleted ones, up to ``limit``."""
        room = limit - at
        address, last, parent_bytes, deleted = self.address, self._last, self._parent, self._deleted
        put, places, names = self._put, self._places, self.names
        first, late = _FIRST_TIME, _LAST_TIME
        while at + _SMALLEST < limit:
            reference, length, key, parent, created, modified, accessed, allocated, real, flags, units, space = _entry(
                content, at
            )
            target = reference & _MASK
            past = key == 0 or at + length > end
            if (
                parent & _MASK != address
                or target > last
                or length <= key
                or length % 4
                or length > room
                or (past and (space > 3 or allocated < real or not units or not content[at + _NAME_AT]))
                or (past and not (first <= created < late and first <= accessed < late and first <= modified < late))
            ):
                at = _next(content, parent_bytes, at, limit)
                continue
            stop = at + _NAME_AT + 2 * units
            if space != _DOS_NAMESPACE and stop < limit:
                stored = content[at + _NAME_AT : stop]
                known = places.get((target, stored))
                if known is None or names[known][2] != NAME_ALLOCATED:
                    name = converted(stored)
                    kind = "d" if flags & _DIRECTORY_FLAG else "r"
                    state = NAME_UNALLOCATED if past or deleted else NAME_ALLOCATED
                    usual = b"\0\0" not in stored and b"^" not in name
                    put(stored if usual else _key(name), (name, kind, state, target, reference >> 48))
            at = (stop + 3) // 4 * 4 if key == 0 else at + length
        if len(self.names) > _MOST_NAMES:
            raise NotPlain("more names than TSK takes")


def _key(name: bytes) -> bytes:
    """The UTF-16 that ``name`` stands for, or, for half a character, bytes that are no UTF-16."""
    try:
        return name.decode().encode("utf-16-le")
    except UnicodeDecodeError:
        return name + b"\0" * (1 + len(name) % 2)


def _next(content: bytes, parent: bytes, at: int, limit: int) -> int:
    """The next place in steps of four bytes from ``at`` where an entry could name this directory as its parent."""
    found = at + 16
    while True:
        found = content.find(parent, found + 1, limit)
        if found < 0:
            return limit
        if (found - at) % 4 == 0:
            return found - 16


def _put_back(content: bytearray, at: int, limit: int) -> None:
    """Put back the ends of sectors, which an INDX record keeps in its update sequence."""
    place, count = struct.unpack_from("<HH", content, at + 4)
    if not count or (count - 1) * _STRIDE > limit - at or place + 2 * count > limit - at:
        raise NotPlain("an index record has a wrong update sequence")
    place += at
    mark = content[place : place + 2]
    for end in range(at + _STRIDE, at + count * _STRIDE, _STRIDE):
        place += 2
        if content[end - 2 : end] != mark:
            raise NotPlain("an index record is torn")
        content[end - 2 : end] = content[place : place + 2]
