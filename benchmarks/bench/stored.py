"""What a case says about its own scan: the stages' seconds, the first hit, and how much was digested and found."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from triage.case.custody import SCAN_FINISHED
from triage.records import Grade


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What stands in a finished case. Seconds; ``first_hit`` counts from the scan's own start."""

    digested: int
    known: int
    """Files that match a list."""
    indicated: int
    """Files that a rule matches."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Empty if the version that made the case does not say."""
    first_hit: float | None = None


@contextmanager
def store(case: Path) -> Iterator[sqlite3.Connection]:
    """The store of a case, read-only; it may be in use.

    Raises:
        sqlite3.OperationalError: there is none yet.
    """
    uri = f"{(case / 'case.sqlite').absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=0.05)) as db:
        yield db


def facts(case: Path) -> CaseFacts:
    """Read a finished case.

    Raises:
        sqlite3.DatabaseError: it is no case.
    """
    with store(case) as db:
        digested = db.execute("SELECT count(*) FROM content WHERE sha256 IS NOT NULL").fetchone()[0]
        hits = dict(db.execute("SELECT grade, count(DISTINCT entry) FROM record WHERE kind = 'hit' GROUP BY grade"))
        log = db.execute(
            "SELECT detail FROM custody WHERE action = ? ORDER BY number DESC LIMIT 1", (SCAN_FINISHED,)
        ).fetchone()
    detail = json.loads(log[0]) if log else {}
    return CaseFacts(
        digested=digested,
        known=hits.get(Grade.EXACT.value, 0),
        indicated=hits.get(Grade.INDICATOR.value, 0),
        stages={name: float(seconds) for name, seconds in detail.get("seconds", {}).items()},
        first_hit=detail.get("first hit"),
    )


class FirstHit:
    """Watches a case that is being made, from outside, for the first known file that another program can see there."""

    def __init__(self, case: Path) -> None:
        self.seconds: float | None = None
        """From the start of the command; None as long as there is none."""
        self._case = case

    def look(self, elapsed: float) -> None:
        """See whether there is one now, ``elapsed`` seconds after the start."""
        if self.seconds is not None or not (self._case / "case.sqlite").exists():
            return
        try:
            with store(self._case) as db:
                query = "SELECT 1 FROM record WHERE kind = 'hit' AND grade = ? LIMIT 1"
                if db.execute(query, (Grade.EXACT.value,)).fetchone():
                    self.seconds = elapsed
        except sqlite3.OperationalError:
            return  # its tables are being made, or it is locked for a moment
