"""Carving: files found in bytes by their structure, each with the length that its structure has."""

from collections.abc import Iterator
from typing import Final

from triage.evidence.carving.formats import Format
from triage.evidence.carving.found import Carved, CarveLimits, Unexamined, Verdict
from triage.evidence.carving.headers import Headers
from triage.evidence.carving.reader import Reader, WorkUsedUp, zeros_before
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

_RETRIES: Final = 8
_SECTOR: Final = 512
_LEAST_CREDIT: Final = 64 << 20
_DEFAULT: Final = CarveLimits()


def carve(
    source: ByteSource, limits: CarveLimits = _DEFAULT, base: int = 0, step: int = 512, stop: int | None = None
) -> Iterator[Carved | Unexamined]:
    """Pictures, videos and sound in ``source``, in the order of their offsets, and what could not be searched.

    Headers are sought at ``base``, ``base`` + ``step`` and so on (bytes; 1 for every offset), before ``stop`` if that
    is given; files may reach beyond ``stop``. A complete file covers what lies in it, and the place directly behind it
    is looked at too; one whose content could not be checked does not cover what begins with a sector. Within incomplete
    ones the search goes on, there at every offset, for thumbnails.

    Ends on any input and takes time in proportion to its size; memory does not depend on it.

    Raises:
        ValueError: ``base`` or ``step`` is out of range.
    """
    if base < 0 or step < 1:
        raise ValueError(f"no search from {base} on in steps of {step}")
    return _Pass(source, limits, base).run(Headers(source, base, step, source.size if stop is None else stop))


class _Pass:
    """One pass over a source."""

    def __init__(self, source: ByteSource, limits: CarveLimits, base: int) -> None:
        self._limits = limits
        self._base = base
        self._reader = Reader(source)
        self._reader.open_ended = limits.open_ended
        self._credit = min(limits.credit, max(_LEAST_CREDIT, 2 * source.size))
        self._covered: dict[str, int] = {}
        self._unfollowed = 0
        self._first_unfollowed = self._last_unfollowed = 0

    def run(self, headers: Headers) -> Iterator[Carved | Unexamined]:
        """See `carve`."""
        place, count, inside = self._base, 0, 0
        while True:
            hit = headers.after(place)
            yield from headers.lost()
            if hit is None:
                break
            place, kind = hit
            if place < inside and (place - self._base) % _SECTOR:
                place += 1
                continue
            if count >= self._limits.files:
                message = f"more than {count} files: the search ends here"
                yield Unexamined(place, self._reader.size - place, NoticeKind.LIMIT, message)
                break
            carved = self._follow(kind, place)
            if carved is None:
                place += 1
                continue
            count += 1
            yield carved
            end = place + carved.length
            if carved.complete:
                headers.look_at(end)
                # Of what nobody checked, another file may have overwritten a part, from a sector on.
                inside = max(inside, end)
                place = end if carved.checked else place + 1
                continue
            headers.look_closely(place + 1, min(end, place + self._limits.nested))
            if kind.stream:
                self._covered[kind.name] = end
            place += 1
        if self._unfollowed:
            message = f"{self._unfollowed} headers were not followed: there are too many that lead nowhere"
            length = self._last_unfollowed + 1 - self._first_unfollowed
            yield Unexamined(self._first_unfollowed, length, NoticeKind.LIMIT, message)

    def _follow(self, kind: Format, place: int) -> Carved | None:
        """What the file is whose header stands at ``place``; `None` if there is none or it may not be followed."""
        if place < self._covered.get(kind.name, 0):
            return None
        reader = self._reader
        reader.end = min(reader.size, place + self._limits.size(kind.name))
        reader.allowed = self._credit + self._limits.work * (place - self._base)
        try:
            verdict, lost = self._walk(kind, place)
            if verdict is None or verdict.end <= place:
                return None
            end = verdict.end
            if not verdict.complete:
                end = self._without_zeros(max(place + 1, min(verdict.sound, end)), end)
        except WorkUsedUp:
            self._first_unfollowed = self._first_unfollowed if self._unfollowed else place
            self._last_unfollowed = place
            self._unfollowed += 1
            return None
        reason = verdict.reason if verdict.complete or not lost else f"{verdict.reason}; then {lost}"
        return Carved(place, end - place, verdict.mime, verdict.complete, reason, verdict.checked)

    def _walk(self, kind: Format, place: int) -> tuple[Verdict | None, str]:
        """Walk through a file; where bytes cannot be had, as if the source ended there. With what was lost, if any."""
        lost = ""
        for _ in range(_RETRIES):
            try:
                return kind.walk(self._reader, place), lost
            except UnreadableBytes as error:
                lost = str(error)
                self._reader.end = max(place, min(error.offset, self._reader.end - 1))
        return None, lost

    def _without_zeros(self, start: int, end: int) -> int:
        try:
            return zeros_before(self._reader, start, end)
        except UnreadableBytes:
            return end
