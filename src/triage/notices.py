"""Doubt as data: what could not be examined, and why. Nothing unscanned may ever look scanned and clean."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from triage.locator import Locator


class NoticeKind(Enum):
    """What happened. Every kind in `INCOMPLETE_KINDS` makes the run's coverage incomplete (exit code 3)."""

    DAMAGED = "damaged"
    """Stored check values do not match, or a structure is impossible."""
    TRUNCATED = "truncated"
    """The source ends before the place that its own metadata name."""
    ENCRYPTED = "encrypted"
    """Encrypted: not examined."""
    UNREADABLE = "unreadable"
    """Reading failed."""
    UNSUPPORTED = "unsupported"
    """A format, version or schema that nothing here reads; the message says what was seen."""
    LIMIT = "limit"
    """A bound was reached (size, count, depth, time); the message names it."""
    FAILED = "failed"
    """A plugin or library failed on this file."""
    CRASHED = "crashed"
    """A worker process died on this file."""
    TIMED_OUT = "timed out"
    NOT_RECOVERABLE = "not recoverable"
    """A deleted entry whose content the file system no longer tells where to find."""
    LOOP = "loop"
    """A directory or link leads back to itself; it was entered once."""
    NOT_EXAMINED = "not examined"
    """Left out on request or by profile; the message says which."""
    REMARK = "remark"
    """Something an examiner should know that takes nothing away from coverage."""


INCOMPLETE_KINDS: Final = frozenset(
    {
        NoticeKind.DAMAGED,
        NoticeKind.TRUNCATED,
        NoticeKind.ENCRYPTED,
        NoticeKind.UNREADABLE,
        NoticeKind.UNSUPPORTED,
        NoticeKind.LIMIT,
        NoticeKind.FAILED,
        NoticeKind.CRASHED,
        NoticeKind.TIMED_OUT,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Notice:
    """One stored doubt. ``origin`` is the part of the suite or the plugin id that says so."""

    source: Locator
    kind_text: str
    message: str
    origin: str

    @property
    def kind(self) -> NoticeKind:
        """The kind as an enumeration member."""
        return NoticeKind(self.kind_text)


def notice(kind: NoticeKind, source: Locator, message: str, origin: str) -> Notice:
    """Make a notice from its kind."""
    return Notice(source, kind.value, message, origin)


class Outcome(Enum):
    """How one (plugin, file) pair ended. The letter is how the ledger stores it, one per plugin in manifest order."""

    FOUND = "F"
    NOTHING = "0"
    NOT_APPLICABLE = "-"
    SKIPPED = "S"
    FAILED = "X"
    NOT_RUN = "R"

    @property
    def label(self) -> str:
        """The word used in tables."""
        return self.name.lower().replace("_", " ")
