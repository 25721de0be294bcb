"""Bounds of unpacking: an archive that expands without end costs one notice, not a full disk or a hung run."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How far one archive is unpacked; all sizes in bytes. What lies beyond is a `NoticeKind.LIMIT` notice.

    ``members`` bounds the names of one archive, ``member`` the size of one. What all members unpack to together is
    bounded by ``ratio`` times what the archive takes itself; by ``total`` if that is less, or, of archives that are
    large themselves, by ``large_ratio`` times what they take. Below ``floor`` nothing of this counts, so that small
    honest archives pass. Members that lie in the archive as they are (tar, stored in zip) unpack to nothing more.

    ``memory`` is how much of one member is held in memory before it goes to a file without a name in the scratch
    folder; a decoder may take ``dictionary`` for itself. ``path`` is the longest path in characters; longer ones are
    shown shortened (exact bytes: `Entry.raw_path`). How deep archives lie in archives is the caller's to bound.
    """

    members: int = 1_000_000
    member: int = 32 * GIB
    total: int = 16 * GIB
    ratio: int = 1000
    large_ratio: int = 20
    floor: int = 256 * MIB
    memory: int = 16 * MIB
    dictionary: int = 1 * GIB
    path: int = 32_768


class Budget:
    """How much of one archive may still be unpacked.

    An archive inside of another has the budget of that one as ``outer``: what it unpacks counts for both, or else
    archives in archives would multiply what each may have.
    """

    def __init__(self, limits: ArchiveLimits, stored: int, outer: "Budget | None" = None) -> None:
        self._limits = limits
        self._outer = outer
        self._stored = stored
        most = max(limits.total, stored * limits.large_ratio)
        self._total = max(limits.floor, min(most, stored * limits.ratio))
        self._used = 0
        self._spent = False

    @property
    def spent(self) -> bool:
        """Whether a bound of the archive, or of one around it, was reached: nothing more is unpacked."""
        return self._spent or (self._outer is not None and self._outer.spent)

    def allowance(self) -> int:
        """How many bytes the next member may have."""
        return 0 if self.spent else min(self._limits.member, self._left())

    def charge(self, unpacked: int) -> None:
        """Count bytes that were unpacked; negative if they are dropped again."""
        self._used += unpacked
        if self._outer is not None:
            self._outer.charge(unpacked)

    def over(self) -> str:
        """Which bound a member has reached that is larger than its `allowance`; call before it is charged."""
        if self._left() > self._limits.member:
            return f"{self._limits.member:,} bytes for one member"
        if self._outer is not None and self._outer._left() < self._total - self._used:
            return self._outer.over()
        self._spent = True
        return self.bound

    @property
    def bound(self) -> str:
        """The bound that was reached in words."""
        if not self._spent and self._outer is not None:
            return self._outer.bound
        return f"{self._total:,} bytes unpacked, out of an archive of {self._stored:,} bytes"

    def _left(self) -> int:
        left = self._total - self._used
        return left if self._outer is None else min(left, self._outer._left())
