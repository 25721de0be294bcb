"""Volume shadow copies of NTFS, through libvshadow. The only module that touches pyvshadow.

Reference: libyal, Volume Shadow Snapshot (VSS) format: identifier 3808876b-c176-4e48-b7ae-04046e6cc752 at offset
7680 of the volume.
"""

import uuid
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final

import pyvshadow

from triage.evidence.entry import FileSystem, OpenOptions
from triage.evidence.filelike import LibrarySource, SourceFile
from triage.evidence.layout import LISTED, ORIGIN, Layout, Part, child_id
from triage.evidence.shadow_files import Differences, LiveDigest, ShadowFileSystem
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice
from triage.times import Timestamp, filetime

MAX_COPIES: Final = 512
"""As many as Windows keeps for a volume."""
_HEADER_AT: Final = 7680
_IDENTIFIER: Final = uuid.UUID("3808876b-c176-4e48-b7ae-04046e6cc752").bytes_le
_BLOCK: Final = 16_384


def detect(source: ByteSource, locator: Locator, options: OpenOptions, live: FileSystem) -> Layout | None:
    """The shadow copies of the NTFS volume ``live``, ``vss1`` (the oldest) first; walked only if ``options`` say so."""
    if live.type != "ntfs" or source.read_at(_HEADER_AT, 16) != _IDENTIFIER:
        return None
    try:
        volume = pyvshadow.volume()
        volume.open_file_object(SourceFile(source))
        stores = [volume.get_store(index) for index in range(min(volume.get_number_of_stores(), MAX_COPIES))]
        copies = [_copy(volume, store) for store in stores]
    except OSError as error:
        text = f"the volume shadow copies cannot be listed: {str(error).partition('. ')[0]}"
        return Layout("vss", notices=(notice(NoticeKind.DAMAGED, locator, text, ORIGIN),))
    if not options.shadow_copies:
        return _listed(copies, locator)
    digest = LiveDigest(live)
    parts = [copy.part(number, source, live, digest, copies[number - 1 :]) for number, copy in enumerate(copies, 1)]
    return Layout("vss", parts=tuple(parts))


def _listed(copies: "list[_Copy]", locator: Locator) -> Layout:
    parts: list[Part] = []
    doubts: list[Notice] = []
    for number, copy in enumerate(copies, 1):
        parts.append(Part(f"vss{number}", "vss", 0, copy.size, copy.description, state=LISTED))
        where = replace(locator, volume=child_id(locator.volume, f"vss{number}"))
        text = f"{copy.description}: listed, not walked (shadow copies were not asked for)"
        doubts.append(notice(NoticeKind.NOT_EXAMINED, where, text, ORIGIN))
    return Layout("vss", parts=tuple(parts), notices=tuple(doubts))


@dataclass(frozen=True, slots=True)
class _Copy:
    """One shadow copy. ``blocks`` are the places of the blocks that it keeps itself, in bytes, sorted."""

    volume: "pyvshadow.volume"
    store: "pyvshadow.store"
    size: int
    description: str
    blocks: tuple[int, ...]

    def part(
        self, number: int, live_source: ByteSource, live: FileSystem, digest: LiveDigest, newer: "list[_Copy]"
    ) -> Part:
        source = LibrarySource(self.store, self.size, f"shadow copy {number}", self.volume)
        # A block that a copy does not keep is looked for in the newer ones, then on the live volume.
        changed = tuple(sorted({block for copy in newer for block in copy.blocks}))

        def wrap(copy: FileSystem) -> FileSystem:
            differences = Differences(live_source, source, live, copy, Blocks(changed))
            return ShadowFileSystem(copy, digest, differences)

        return Part(f"vss{number}", "vss", 0, self.size, self.description, source, wrap=wrap)


def _copy(volume: "pyvshadow.volume", store: "pyvshadow.store") -> _Copy:
    created = filetime(int(store.get_creation_time_as_integer()))
    when = created.iso() if isinstance(created, Timestamp) else str(created)
    blocks = sorted({int(store.get_block(n).get_original_offset()) for n in range(store.get_number_of_blocks())})
    text = f"shadow copy {store.get_identifier()} created {when}"
    return _Copy(volume, store, int(store.get_volume_size()), text, tuple(blocks))


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of 16 KiB of a volume whose earlier content shadow copies keep; ``starts`` are sorted byte offsets."""

    starts: tuple[int, ...]

    def overlaps(self, offset: int, length: int) -> list[tuple[int, int]]:
        """The pieces (offset, length) of a run that lie in such blocks."""
        found: list[tuple[int, int]] = []
        index = max(0, bisect_right(self.starts, offset) - 1)
        while index < len(self.starts) and self.starts[index] < offset + length:
            start, end = max(offset, self.starts[index]), min(offset + length, self.starts[index] + _BLOCK)
            if start < end:
                found.append((start, end - start))
            index += 1
        return found
