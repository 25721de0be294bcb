"""Numbers of entries: an id says to which evidence an entry belongs, its place in the walk, and that in an archive.

15 bits evidence, 28 bits place in the walk (from 1), 20 bits place among all members of that entry if it is an archive
(0: the entry itself). Ids thus do not depend on the order in which evidence was walked or archives were opened, and a
member comes right behind its archive.
"""

from typing import Final

MEMBER_BITS: Final = 20
ENTRY_BITS: Final = 28
MOST_MEMBERS: Final = (1 << MEMBER_BITS) - 1
MOST_ENTRIES: Final = (1 << ENTRY_BITS) - 1

_EVIDENCE_SHIFT: Final = MEMBER_BITS + ENTRY_BITS


def entry_id(evidence: int, place: int) -> int:
    """The id of the entry at ``place`` (from 1) of the walk of evidence ``evidence``."""
    return evidence << _EVIDENCE_SHIFT | place << MEMBER_BITS


def place_of(entry: int) -> int:
    """The place in the walk of an entry, or of the archive that a member is in."""
    return (entry >> MEMBER_BITS) & MOST_ENTRIES


def of_evidence(evidence: int) -> tuple[int, int]:
    """Least and greatest id that an entry of an evidence can have."""
    return evidence << _EVIDENCE_SHIFT, (evidence + 1 << _EVIDENCE_SHIFT) - 1


def of_members(entry: int) -> tuple[int, int]:
    """Least and greatest id that a member of the archive ``entry`` can have.

    >>> of_members(entry_id(1, 2)) == (entry_id(1, 2) + 1, entry_id(1, 3) - 1)
    True
    """
    return entry + 1, entry | MOST_MEMBERS


def archive_of(member: int) -> int:
    """The entry that a member belongs to, however deep it lies; an entry that is no member belongs to itself."""
    return member & ~MOST_MEMBERS
