"""From the bytes of an evidence to its volumes and file systems, from the outside in, to a bounded depth."""

from dataclasses import dataclass, field, replace
from typing import Final

from triage.errors import CredentialError, EvidenceError
from triage.evidence.claimed import claimed_size
from triage.evidence.entry import FileSystem, OpenOptions, Volume
from triage.evidence.layout import (
    LOCKED,
    OPEN,
    ORIGIN,
    UNLOCKED,
    UNRECOGNISED,
    FileSystemDetector,
    Follower,
    Layout,
    Member,
    Part,
    Structure,
    child_id,
)
from triage.evidence.source import ByteSource, Slice
from triage.evidence.unrecognised import look
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

MAX_DEPTH: Final = 8
MAX_VOLUMES: Final = 1024


@dataclass(frozen=True, slots=True)
class Detectors:
    """What is looked for in each volume: structures first, then file systems, then what hangs on a file system.

    The order matters and is visible in `triage.evidence.open`.
    """

    structures: tuple[Structure, ...]
    file_systems: tuple[FileSystemDetector, ...]
    followers: tuple[Follower, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Volumes, outermost first, each before what lies in it, and the doubts met."""

    volumes: tuple[Volume, ...]
    notices: tuple[Notice, ...]


def find_volumes(
    source: ByteSource,
    locator: Locator,
    options: OpenOptions,
    detectors: Detectors,
    depth: int = MAX_DEPTH,
    max_volumes: int = MAX_VOLUMES,
) -> Found:
    """All volumes in ``source``, nested to ``depth`` levels and ``max_volumes`` in number.

    ``locator`` names the evidence (and the volume that ``source`` is, if it is not the whole). Ids and order depend
    on nothing but the bytes and the options.

    Raises:
        CredentialError: keys were given, and at least one encrypted volume was tried with them and none opened.
    """
    search = _Search(options, detectors, depth, max_volumes)
    whole = Part("", "media", 0, source.size, source=source)
    search.look_into(whole, locator, 0, 0)
    search.assemble()
    if search.refused and not search.unlocked:
        names = ", ".join(f"{locator.evidence} {volume}".rstrip() for volume in search.refused)
        raise CredentialError(f"no given password, recovery key or key file opens {names}")
    return Found(tuple(search.volumes), tuple(dict.fromkeys(search.notices)))


@dataclass(slots=True)
class _Search:
    options: OpenOptions
    detectors: Detectors
    max_depth: int
    max_volumes: int
    volumes: list[Volume] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    members: "list[tuple[Member, Locator, int]]" = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unlocked: bool = False
    full: bool = False

    def look_into(self, part: Part, locator: Locator, base: int, depth: int) -> bool:
        """Record ``part`` and what lies in it; `True` if anything in it was recognised.

        ``locator`` names the part itself, ``base`` is the media offset of the volume around it.
        """
        if self.full:
            return True
        if part.state or part.file_systems or part.source is None:
            self._add(part, locator, base, part.state or part.found_state, part.file_systems)
            return bool(part.file_systems)
        source = part.source
        layout = self._structure(source, locator)
        if layout is not None and not (layout.table and not layout.sound):
            return self._structured(part, locator, base, depth, layout)
        systems = self._whole(part, self._file_systems(source, locator), locator)
        if systems:
            self._with_file_systems(part, locator, base, depth, systems)
            return True
        if layout is not None:
            return self._structured(part, locator, base, depth, layout)
        self._add(part, locator, base, UNRECOGNISED, ())
        if source.size:  # one of no bytes lies beyond the end of its source, and a notice says so
            self.notices.append(look(source, locator, part.description))
        return False

    def _structured(self, part: Part, locator: Locator, base: int, depth: int, layout: Layout) -> bool:
        self._note(layout, locator)
        if layout.member is not None:
            self.members.append((layout.member, locator, depth))
        place = len(self.volumes)
        if not layout.table or part.id:
            text = "; ".join(filter(None, (part.description, layout.description)))
            self._add(replace(part, description=text), locator, base, part.state or layout.state, ())
        recognised = self._children(layout, locator, base + part.offset, depth)
        if layout.table and part.source is not None and not (recognised and not _is_disc(part.source)):
            recognised |= self._beside_table(part, locator, base, place)
        return recognised or not layout.table

    def _beside_table(self, part: Part, locator: Locator, base: int, place: int) -> bool:
        """A file system of the whole volume under a stale partition table, or on a disc that boots from a stick too."""
        systems = self._file_systems(part.source, locator) if part.source is not None else ()
        if systems:
            text = "the volume begins with a partition table and with a file system: both are listed"
            self.notices.append(notice(NoticeKind.REMARK, locator, text, ORIGIN))
            self.volumes[place : place + bool(part.id)] = [_volume(part, locator, base, OPEN, systems)]
        return bool(systems)

    def assemble(self) -> None:
        """Put together the volumes that lie on several others, all of them seen by now; groups may lie in groups."""
        done: set[tuple[str, str]] = set()
        while waiting := [entry for entry in self.members if _group_of(entry[0]) not in done]:
            first = waiting[0]
            group = _group_of(first[0])
            done.add(group)
            same = [member for member, _, _ in waiting if _group_of(member) == group]
            newest = max(same, key=lambda member: member.group)
            if newest.assemble is None:
                continue
            sources: dict[str, ByteSource] = {}
            for member, _, _ in self.members:
                if member.kind == newest.kind:
                    sources.setdefault(member.id, member.source)
            layout = newest.assemble(sources, first[1])
            self._note(layout, first[1])
            self._children(layout, first[1], 0, first[2])

    def _note(self, layout: Layout, locator: Locator) -> None:
        self.notices.extend(layout.notices)
        if layout.wrong_key:
            inside = [child_id(locator.volume, part.id) for part in layout.parts if part.state == LOCKED]
            self.refused += [f"{volume} ({layout.type})".strip() for volume in inside or [locator.volume]]
        self.unlocked |= layout.state == UNLOCKED

    def _children(self, layout: Layout, locator: Locator, base: int, depth: int) -> bool:
        if layout.parts and depth >= self.max_depth:
            text = f"volumes are nested deeper than {self.max_depth} levels: what lies below is not examined"
            self.notices.append(notice(NoticeKind.LIMIT, locator, text, ORIGIN))
            return True
        recognised = False
        for part in layout.parts:
            inside = replace(locator, volume=child_id(locator.volume, part.id))
            recognised |= self.look_into(part, inside, base, depth + 1)
        return recognised

    def _with_file_systems(
        self, part: Part, locator: Locator, base: int, depth: int, systems: tuple[FileSystem, ...]
    ) -> None:
        if part.wrap is not None:
            systems = tuple(part.wrap(system) for system in systems)
        self._add(part, locator, base, part.found_state, systems)
        if part.source is None:
            return
        for follower in self.detectors.followers:
            for system in systems:
                layout = follower(part.source, locator, self.options, system)
                if layout is not None and part.wrap is None:
                    self.notices.extend(layout.notices)
                    self._children(layout, locator, base + part.offset, depth)

    def _structure(self, source: ByteSource, locator: Locator) -> Layout | None:
        for detect in self.detectors.structures:
            try:
                layout = detect(source, locator, self.options)
            except EvidenceError as error:
                self.notices.append(notice(NoticeKind.UNREADABLE, locator, str(error), ORIGIN))
                continue
            if layout is not None:
                return layout
        return None

    def _file_systems(self, source: ByteSource, locator: Locator) -> tuple[FileSystem, ...]:
        """The file systems at the start of ``source``, one of each type; the others get ``~type`` to the volume id."""
        found: dict[str, FileSystem] = {}
        for detect in self.detectors.file_systems:
            try:
                for system in detect(source, locator, self.options):
                    found.setdefault(system.type, system)
            except EvidenceError as error:
                self.notices.append(notice(NoticeKind.UNREADABLE, locator, str(error), ORIGIN))
        for system in list(found.values())[1:]:
            system.locator = replace(locator, volume=f"{locator.volume}~{system.type}")
        if len(found) > 1:
            text = f"more than one file system is valid here: {', '.join(found)}"
            self.notices.append(notice(NoticeKind.REMARK, locator, text, ORIGIN))
        return tuple(found.values())

    def _whole(self, part: Part, systems: tuple[FileSystem, ...], locator: Locator) -> tuple[FileSystem, ...]:
        """The same file systems, opened again over more bytes if they say that they are larger than their partition."""
        claimed = max((claimed_size(system) for system in systems), default=0)
        if part.source is None or part.beyond is None or not part.source.size < claimed <= part.beyond.size:
            return systems
        text = f"the file system has {claimed} bytes, its partition {part.source.size}: it is read beyond its partition"
        self.notices.append(notice(NoticeKind.REMARK, locator, text, ORIGIN))
        return self._file_systems(Slice(part.beyond, 0, claimed), locator)

    def _add(self, part: Part, locator: Locator, base: int, state: str, systems: tuple[FileSystem, ...]) -> None:
        if len(self.volumes) < self.max_volumes:
            self.volumes.append(_volume(part, locator, base, state, systems))
        elif not self.full:
            self.full = True
            text = f"more than {self.max_volumes} volumes: the rest is not examined"
            self.notices.append(notice(NoticeKind.LIMIT, replace(locator, volume=""), text, ORIGIN))


def _volume(part: Part, locator: Locator, base: int, state: str, systems: tuple[FileSystem, ...]) -> Volume:
    return Volume(
        locator.volume, part.type, base + part.offset, part.size, state, part.description, part.source, systems
    )


def _group_of(member: Member) -> tuple[str, str]:
    return member.kind, member.group.partition(" ")[0]


def _is_disc(source: ByteSource) -> bool:
    return source.read_at(0x8001, 5) == b"CD001"
