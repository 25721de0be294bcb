"""Files carved from unallocated space, examined like any other file."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Final

from triage.case.rows import Found, Members, StoredEntry
from triage.engine.host import PluginHost
from triage.engine.hostfile import Subject
from triage.engine.members import Full, MemberFrames
from triage.engine.steps import StepNote
from triage.engine.tasks import CARVE, Barred
from triage.engine.unallocated import FOLDER, own_bytes
from triage.evidence.carving.carve import carve
from triage.evidence.carving.found import Carved, Unexamined
from triage.evidence.entry import Entry, EntryFlag, EntryType, Extent, ExtentSource
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import NoticeKind, notice
from triage.records import CarvedFile

LEAST: Final = 4096
"""Bytes below which a file that is not complete is left out: what is left of pictures so short shows nothing."""
_SUFFIXES: Final = {
    "image/jpeg": "jpg", "image/tiff": "tif", "video/quicktime": "mov", "video/x-msvideo": "avi",
    "video/x-matroska": "mkv", "video/mp2t": "ts", "video/mpeg": "mpg", "audio/x-wav": "wav", "video/x-ms-asf": "asf",
}  # fmt: skip


class Carving:
    """Goes through one part of the unallocated space of a file system."""

    def __init__(
        self, host: PluginHost, note: StepNote, without: Sequence[Barred], write: Callable[[Members], None]
    ) -> None:
        self._host = host
        self._note = note
        self._without = without
        self._write = write

    def run(self, stored: StoredEntry, locator: Locator, source: ByteSource) -> None:
        """Examine all files that are found in the part ``stored`` of the file system at ``locator``."""
        extents = stored.entry.extents or ()
        places = _Places(extents)
        frames = MemberFrames(stored, self._write)
        own, small = own_bytes(stored.entry), 0
        search = carve(ExtentSource(source, extents), stop=own)
        while True:
            self._note.entry_id = stored.id
            self._note.begin(own, CARVE)
            found = next(search, None)
            if found is None:
                break
            if isinstance(found, Unexamined):
                place = locator.at(places.offset(found.offset))
                frames.doubt(notice(found.kind, place, f"{found.message} ({found.length:,} bytes)", CARVE))
            elif not found.complete and found.length < LEAST:
                small += 1
            else:
                try:
                    self._examine(frames, locator, source, places, found)
                except Full as bound:
                    text = f"{bound}: the rest of this space was not searched"
                    frames.doubt(notice(NoticeKind.LIMIT, locator, text, CARVE))
                    break
        self._search(frames, stored, locator, source)
        if small:
            text = f"{small:,} beginnings of files that break off within {LEAST:,} bytes were left out"
            frames.doubt(notice(NoticeKind.REMARK, locator, text, CARVE))
        frames.flush()

    def _search(self, frames: MemberFrames, stored: StoredEntry, locator: Locator, source: ByteSource) -> None:
        """Let plugins look at the space itself."""
        self._note.entry_id = stored.id
        content = partial(ExtentSource, source, stored.entry.extents or ())
        result = self._host.examine_space(Subject(stored.id, stored.entry, lambda: locator, content), self._without)
        if result is not None:
            frames.result(result)

    def _examine(
        self, frames: MemberFrames, locator: Locator, source: ByteSource, places: "_Places", found: Carved
    ) -> None:
        offset = places.offset(found.offset)
        suffix = _SUFFIXES.get(found.mime) or found.mime.rpartition("/")[2].removeprefix("x-")
        entry = Entry(
            f"{FOLDER}/{offset}.{suffix}", EntryType.FILE, f"carved-{offset}", found.length, int(EntryFlag.CARVED),
            extents=places.extents(found.offset, found.length), name_type=EntryType.FILE, container=CARVED_ENTRY,
        )  # fmt: skip
        number = frames.add(entry, wanted=True)
        place = Locator(locator.evidence, locator.volume, entry.path, entry.address)
        content = partial(ExtentSource, source, entry.extents or ())
        self._note.entry_id = number
        result = self._host.examine(Subject(number, entry, lambda: place, content), {}, self._without)
        what = CarvedFile(
            source=place, type=found.mime, offset=offset, size=found.length, complete=found.complete,
            checked=found.checked, reason=found.reason,
        )  # fmt: skip
        frames.result(result._replace(found=(Found(CARVE, what), *result.found)))


CARVED_ENTRY: Final = "carved"
"""`Entry.container` of what was carved."""


class _Places:
    """Where bytes of the glued space lie in the file system."""

    def __init__(self, extents: Sequence[Extent]) -> None:
        self._extents = extents
        self._starts = list(accumulate((extent.length for extent in extents), initial=0))

    def offset(self, at: int) -> int:
        index = min(bisect_right(self._starts, at) - 1, len(self._extents) - 1)
        return self._extents[index].offset + at - self._starts[index]

    def extents(self, at: int, length: int) -> tuple[Extent, ...]:
        made: list[Extent] = []
        index = bisect_right(self._starts, at) - 1
        while length > 0 and index < len(self._extents):
            begin, run = self._extents[index]
            skip = at - self._starts[index]
            part = min(run - skip, length)
            made.append(Extent(begin + skip, part))
            at, length, index = at + part, length - part, index + 1
        return tuple(made)
