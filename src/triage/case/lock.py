"""One writer per case."""

import os
import sqlite3
from pathlib import Path

from triage.errors import CaseError

_TRIES = 10


class CaseLock:
    """Held while a case is open for writing.

    The lock is SQLite's own exclusive lock on an empty file beside the store: the operating system gives it back when
    the process ends in whatever way, so there is no stale lock to judge, on any platform.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            CaseError: another process (or another store object of this one) has it.
        """
        self._path = folder / "case.lock"
        for _ in range(_TRIES):
            db = self._lock()
            if db is not None:
                self._db = db
                return
        raise CaseError(f"{folder}: the case is being opened and closed by other processes; try again")

    def _lock(self) -> sqlite3.Connection | None:
        try:
            self._path.touch()
            before = self._path.stat()
            db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                db.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                db.close()
                message = f"{self._path.parent}: the case is in use by another running triage process"
                raise CaseError(message) from error
            # The one before us removes the file when it closes: a lock on a removed file locks nobody out.
            if self._path.exists() and os.path.samestat(before, self._path.stat()):
                return db
        except OSError as error:
            raise CaseError(f"{self._path}: cannot be written: {error.strerror}") from error
        db.close()
        return None

    def release(self) -> None:
        """Give the lock back and remove its file."""
        try:
            self._path.unlink(missing_ok=True)
        except PermissionError:  # Windows keeps the file while it is open
            self._db.close()
            self._path.unlink(missing_ok=True)
        self._db.close()
