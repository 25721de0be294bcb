"""The custody log: who did what to the case and when, each entry sealed with the digest of the one before.

The chain shows that the log is whole and unchanged *as far as the last digest is known from elsewhere*: the report and
``triage verify`` print it for that purpose. Someone who rewrites the whole log can make a new, whole chain.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from triage.case.rows import Json, canonical
from triage.errors import IntegrityError
from triage.times import iso

CASE_CREATED: Final = "case created"
SCAN_STARTED: Final = "scan started"
EVIDENCE_OPENED: Final = "evidence opened"
SCAN_FINISHED: Final = "scan finished"
REPORT_WRITTEN: Final = "report written"
EXPORTS_WRITTEN: Final = "exports written"
VERIFIED: Final = "verified"

_STEP = 1 << 20


class CustodyEntry(NamedTuple):
    """One entry. ``at_ns`` is UTC, ``detail`` JSON; ``digest`` is SHA-256 over ``previous`` and the canonical rest."""

    number: int
    at_ns: int
    operator: str
    action: str
    detail: dict[str, Any]
    previous: str
    digest: str


def seal(previous: str, number: int, at_ns: int, operator: str, action: str, detail: str) -> str:
    """The digest of an entry: SHA-256 (hex) over the previous digest and the entry as canonical JSON, UTF-8.

    Canonical means: an array of number, time in ns, operator, action and detail text, ASCII only, no spaces.
    """
    body = canonical([number, at_ns, operator, action, detail])
    return hashlib.sha256((previous + body).encode("ascii")).hexdigest()


class CustodyLog:
    """The log of one case, in its store."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def append(self, action: str, detail: Mapping[str, Json], at_ns: int, operator: str) -> str:
        """Add an entry (``detail`` is JSON data) and return its digest. ``at_ns`` is UTC."""
        own = not self._db.in_transaction
        if own:
            self._db.execute("BEGIN IMMEDIATE")
        try:
            number, previous = self._db.execute("SELECT number, digest FROM custody_head").fetchone()
            text = canonical(detail)
            digest = seal(previous, number + 1, at_ns, operator, action, text)
            row = (number + 1, at_ns, operator, action, text, previous, digest)
            self._db.execute("INSERT INTO custody VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self._db.execute("UPDATE custody_head SET number = ?, digest = ?", (number + 1, digest))
        except BaseException:
            if own:
                self._db.execute("ROLLBACK")
            raise
        if own:
            self._db.execute("COMMIT")
        return digest

    def entries(self) -> Iterator[CustodyEntry]:
        """All entries, oldest first."""
        for row in self._db.execute("SELECT * FROM custody ORDER BY number"):
            yield CustodyEntry._make((*row[:4], json.loads(row[4]), *row[5:]))

    def last(self, action: str) -> CustodyEntry | None:
        """The newest entry with this action."""
        found = [entry for entry in self.entries() if entry.action == action]
        return found[-1] if found else None

    def opened_states(self, path: str) -> dict[str, list[int]] | None:
        """Size and modification time (ns) of the files of the evidence at ``path`` when it was opened last."""
        opened = [
            entry.detail["files"]
            for entry in self.entries()
            if entry.action == EVIDENCE_OPENED and entry.detail.get("path") == path and "files" in entry.detail
        ]
        return dict(opened[-1]) if opened else None

    def head(self) -> str:
        """Digest of the newest entry: whoever knows it from elsewhere can tell that the log was not rewritten."""
        return str(self._db.execute("SELECT digest FROM custody_head").fetchone()[0])

    def check(self) -> int:
        """Follow the chain and return the number of entries.

        Raises:
            IntegrityError: an entry is missing or is not what was written; the message names the first.
        """
        previous, count = "", 0
        for row in self._db.execute("SELECT * FROM custody ORDER BY number"):
            number, at_ns, operator, action, text, stored_previous, digest = row
            if number != count + 1:
                raise IntegrityError(f"custody log: entry {count + 1} is missing")
            if stored_previous != previous or digest != seal(previous, number, at_ns, operator, action, text):
                raise IntegrityError(f"custody log: entry {number} ({action}) is not what was written")
            previous, count = digest, number
        number, digest = self._db.execute("SELECT number, digest FROM custody_head").fetchone()
        if number != count or digest != previous:
            raise IntegrityError(f"custody log: entries after {count} are missing, {number} were written")
        return count

    def lines(self) -> Iterator[str]:
        """The log as text, one line an entry: number, time, operator, action, detail, digest, with tabs between."""
        for entry in self.entries():
            detail = canonical(entry.detail)
            words = (str(entry.number), iso(entry.at_ns) + "Z", entry.operator, entry.action, detail, entry.digest)
            yield "\t".join(json.dumps(word)[1:-1] if not word.isprintable() else word for word in words)


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder``, by its path in it with ``/``, in order."""
    paths = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return {name: file_digest(path) for name, path in paths}


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file of ours."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_STEP):
            digest.update(data)
    return digest.hexdigest()


def record_written(
    log: CustodyLog, action: str, case: Path, folder: Path, at_ns: int, operator: str, provenance: str = ""
) -> str:
    """Log that ``folder`` of the case (``report``, ``exports``) was written, with the digest of every file in it.

    ``provenance`` is `triage.case.digest.provenance_digest` at that moment.
    """
    place = folder.relative_to(case).as_posix() if folder.is_relative_to(case) else str(folder)
    detail: dict[str, Json] = {"folder": place, "files": file_digests(folder)}
    if provenance:
        detail["provenance digest"] = provenance
    return log.append(action, detail, at_ns, operator)
