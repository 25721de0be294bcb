"""Deleted files of NTFS that no name leads to, in the order and under the names that The Sleuth Kit gives them."""

from collections.abc import Iterator
from typing import Final, Protocol

from triage.evidence.ntfs_index import ListedName
from triage.evidence.ntfs_runs import NotPlain
from triage.evidence.ntfs_table import BAD, EXTENSION, IN_USE, IS_DIRECTORY, Row
from triage.evidence.tsk_native import NAME_UNALLOCATED

_DEEPEST: Final = 120
_LONGEST: Final = 4000
"""TSK gives up on a path of more than 128 directories or 4096 bytes, and then misses names."""
_MOST_VISITS: Final = 100_000
_UNDEFINED: Final = "-"
_MAY_LEAD_ON: Final = ("d", "V", _UNDEFINED)
_DOTS: Final = (b".", b"..")


class Volume(Protocol):
    """What is asked of a volume."""

    orphans: int

    def listing(self, address: int) -> list[ListedName]:
        """All names in a directory."""

    def rows(self, names: list[ListedName]) -> list[Row]:
        """The row of each name's address."""

    def first_name(self, number: int) -> bytes:
        """The first name of a record."""

    def is_directory(self, number: int) -> bool:
        """Whether it is a directory."""

    def sequence(self, number: int) -> int:
        """Its sequence number."""


class Trail:
    """The directories that names lead to, how deep they lie, and which of them were ``listed``."""

    def __init__(self, root: int) -> None:
        self.listed: set[int] = set()
        self._places = {root: (0, 0)}
        self._deepest = self._longest = self._again = 0

    def add(self, above: int, name: bytes, address: int) -> None:
        """Note that ``name`` in directory ``above`` leads to directory ``address``."""
        depth, length = self._places.get(above, (0, 0))
        depth, length = depth + 1, length + len(name) + 1
        self._deepest, self._longest = max(self._deepest, depth), max(self._longest, length)
        if address in self._places:
            self._again += 1
        else:
            self._places[address] = depth, length

    def missed(self) -> Iterator[int]:
        """Directories that were not listed; more may come up as these are."""
        while missing := self._places.keys() - self.listed:
            yield from missing

    def check(self) -> None:
        """Make sure that TSK came to all of them.

        Raises:
            NotPlain: perhaps it did not.
        """
        ways = self._again + 1
        if self._deepest * ways > _DEEPEST or self._longest * ways > _LONGEST:
            raise NotPlain("directories deeper than TSK goes")


def find(volume: Volume, deleted: list[int], named: set[int]) -> list[ListedName]:
    """The names of ``/$OrphanFiles``: of ``deleted`` records those that are not ``named`` and not below another.

    Raises:
        NotPlain: it is uncertain what TSK would find.
    """
    search = _Search(volume)
    found: list[ListedName] = []
    for number in deleted:
        if number in named or number in search.below:
            continue
        name = volume.first_name(number) or b"OrphanFile-%d" % number
        found.append((name, _UNDEFINED, NAME_UNALLOCATED, number, volume.sequence(number) - 1 & 0xFFFFFFFF))
        if volume.is_directory(number):
            search.visit(number, 0, 0)
    return _without(found, search.below)


def _without(found: list[ListedName], below: set[int]) -> list[ListedName]:
    """``found`` without what is below others; the last one takes the place of what goes, and is not looked at again."""
    place = 0
    while place < len(found):
        if found[place][3] in below and place + 1 < len(found):
            found[place] = found.pop()
        place += 1
    return found


class _Search:
    """What lies below deleted directories."""

    def __init__(self, volume: Volume) -> None:
        self.below: set[int] = set()
        self._volume = volume
        self._path: list[int] = []
        self._visits = 0

    def visit(self, address: int, depth: int, length: int) -> bool:
        """Note what is below ``address``; false if TSK would break off there."""
        self._visits += 1
        if self._visits > _MOST_VISITS or depth > _DEEPEST or length > _LONGEST:
            raise NotPlain("deleted directories without end")
        names = self._volume.listing(address)
        for name, row in zip(names, self._volume.rows(names), strict=True):
            raw, kind, flags, target, sequence = name
            if not target and flags == NAME_UNALLOCATED:
                continue
            deleted = flags == NAME_UNALLOCATED
            meta = self._meta(row, sequence)
            if meta is None:
                continue
            if deleted and raw not in _DOTS and not self._note(0 if row[0] == BAD else target, meta):
                return False
            leads_on = kind in _MAY_LEAD_ON and meta & IS_DIRECTORY and not (deleted and meta & IN_USE)
            if leads_on and raw not in _DOTS and target not in self._path:
                self._path.append(target)
                if not self.visit(target, depth + 1, length + len(raw) + 1):
                    return False
                self._path.pop()
        return True

    def _note(self, target: int, meta: int) -> bool:
        if meta & IN_USE or target in self.below:
            return False
        self.below.add(target)
        return True

    @staticmethod
    def _meta(row: Row, sequence: int) -> int | None:
        """The flags of the record if it is the one that is meant."""
        kind, state, number, *_ = row
        if kind == BAD:
            return 0  # TSK goes on with empty metadata, whose address is 0
        if kind == EXTENSION:
            raise NotPlain("a deleted name that leads to a part of a file")
        return state if sequence == (number if state & IN_USE or not number else number - 1) else None
