"""What a detector says about the bytes it was shown: which volumes lie in them, and what is doubtful about that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from triage.evidence.entry import FileSystem, OpenOptions
from triage.evidence.source import ByteSource, Slice
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

OPEN: Final = "open"
UNLOCKED: Final = "unlocked"
LOCKED: Final = "locked"
UNALLOCATED: Final = "unallocated"
LISTED: Final = "listed"
UNRECOGNISED: Final = "unrecognised"

ORIGIN: Final = "evidence.volumes"


@dataclass(frozen=True, slots=True)
class Part:
    """One volume inside another.

    ``id`` is its own part of the volume id (``p2``), ``offset`` and ``size`` are bytes in the volume around it (0
    where it has no single place there). ``state`` is final if it is not empty: such a part is listed and not looked
    into. ``file_systems`` are given where the structure itself is what opens them (APFS). ``wrap`` is applied to
    each file system found. ``found_state`` is the state if something is found in it. ``beyond`` are the bytes from
    its start on, as far as the volume around it goes, for file systems that are larger than their partition.
    """

    id: str
    type: str
    offset: int
    size: int
    description: str = ""
    source: ByteSource | None = None
    state: str = ""
    file_systems: tuple[FileSystem, ...] = ()
    wrap: Callable[[FileSystem], FileSystem] | None = None
    found_state: str = OPEN
    beyond: ByteSource | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One of several sources that volumes are put together from, perhaps lying far apart in an evidence (LVM,
    CoreStorage).

    ``id`` names it among those of its ``kind``. ``group`` is the group's id with a space and its version behind it,
    and ``assemble`` makes the volumes of the group from all members at hand, by id; both are empty for a member that
    does not know its group.
    """

    kind: str
    id: str
    source: ByteSource
    group: str
    assemble: "Callable[[Mapping[str, ByteSource], Locator], Layout] | None"


@dataclass(frozen=True, slots=True)
class Layout:
    """One recognised structure.

    ``state`` is that of the volume it was found in. ``table`` says that it is a partition table, ``sound`` that all
    it says is plausible; an unsound table yields to a file system at the same place. ``wrong_key`` says that
    credentials were given, tried, and did not open it. ``member`` is given where volumes can only be put together
    when all of the evidence was seen.
    """

    type: str
    description: str = ""
    parts: tuple[Part, ...] = ()
    notices: tuple[Notice, ...] = ()
    state: str = OPEN
    table: bool = False
    sound: bool = True
    wrong_key: bool = False
    member: Member | None = None


Structure = Callable[[ByteSource, Locator, OpenOptions], Layout | None]
"""Recognises one kind of structure at the start of the bytes; `None` if they are something else."""

FileSystemDetector = Callable[[ByteSource, Locator, OpenOptions], tuple[FileSystem, ...]]
"""All file systems of its kinds at offset 0 of the bytes."""

Follower = Callable[[ByteSource, Locator, OpenOptions, FileSystem], Layout | None]
"""Volumes that hang on a file system already found (shadow copies)."""


def clipped(source: ByteSource, offset: int, size: int) -> Slice:
    """The part ``[offset, offset + size)`` of ``source`` as far as it exists; empty if it begins beyond the end."""
    return Slice(source, min(offset, source.size), size)


def place(source: ByteSource, locator: Locator, part: Part) -> tuple[Part, tuple[Notice, ...]]:
    """``part`` with its bytes, and a `NoticeKind.TRUNCATED` notice if the source ends before it does."""
    found = clipped(source, part.offset, part.size)
    beyond = clipped(source, part.offset, source.size)
    placed = replace(part, size=found.size, source=found, beyond=beyond)
    if found.size == part.size:
        return placed, ()
    where = Locator(locator.evidence, child_id(locator.volume, part.id))
    message = f"the source ends {part.offset + part.size - source.size} bytes before the end of this volume"
    return placed, (notice(NoticeKind.TRUNCATED, where, message, ORIGIN),)


def child_id(volume: str, part: str) -> str:
    """Volume id of ``part`` in ``volume``.

    >>> child_id("", "p2"), child_id("p2", "vss1")
    ('p2', 'p2/vss1')
    """
    return f"{volume}/{part}" if volume else part
