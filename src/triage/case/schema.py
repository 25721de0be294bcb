"""Tables of a case store, with their version.

Numbers that evidence controls have no declared type: SQLite then keeps what it is given, and a number beyond 64 bits is
kept as text (see `triage.case.codec`) instead of becoming a rounded one.
"""

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x54524941
"""``TRIA``: SQLite's own place for saying whose file this is."""

SCHEMA_VERSION: Final = 2

_TABLES: Final = (
    """CREATE TABLE evidence (
        id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, path TEXT NOT NULL, type TEXT NOT NULL, size,
        files TEXT NOT NULL, stored_digests TEXT NOT NULL, facts TEXT NOT NULL,
        computed_digests TEXT NOT NULL DEFAULT '{}', digest_note TEXT NOT NULL DEFAULT '',
        walked INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE volume (
        evidence INTEGER NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, offset, size,
        state TEXT NOT NULL, description TEXT NOT NULL, file_system TEXT NOT NULL,
        PRIMARY KEY (evidence, position)) WITHOUT ROWID""",
    """CREATE TABLE entry (
        id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL,
        stream TEXT NOT NULL, type TEXT NOT NULL, name_type TEXT NOT NULL, address TEXT NOT NULL, size, flags,
        modified, accessed, changed, created, name_modified, name_accessed, name_changed, name_created,
        extents BLOB, mode, uid, gid, links, link_target TEXT NOT NULL, raw_path BLOB NOT NULL,
        container TEXT NOT NULL,
        priority INTEGER NOT NULL, physical, wanted INTEGER NOT NULL, odd INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE content (
        entry INTEGER PRIMARY KEY, status TEXT NOT NULL, type TEXT NOT NULL, md5 TEXT, sha1 TEXT, sha256 TEXT,
        other_digests TEXT, outcomes TEXT NOT NULL)""",
    # Archives whose members are all in the store.
    "CREATE TABLE expansion (entry INTEGER PRIMARY KEY, members INTEGER NOT NULL)",
    """CREATE TABLE record (
        entry INTEGER NOT NULL, plugin TEXT NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL,
        grade TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (entry, plugin, sequence))""",
    # The key is the whole notice: equal notices are one, and reading by key is reading in order.
    """CREATE TABLE notice (
        evidence TEXT NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL, address TEXT NOT NULL, stream TEXT NOT NULL,
        part TEXT NOT NULL, row, offset, kind TEXT NOT NULL, message TEXT NOT NULL, origin TEXT NOT NULL,
        entry INTEGER,
        PRIMARY KEY (evidence, volume, path, address, stream, part, row, offset, kind, message, origin))
        WITHOUT ROWID""",
    "CREATE TABLE manifest (section TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE custody (
        number INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, operator TEXT NOT NULL, action TEXT NOT NULL,
        detail TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL)""",
    # Without it, entries cut off the end of the log would leave a chain that is whole.
    "CREATE TABLE custody_head (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER, digest TEXT)",
    "INSERT INTO custody_head VALUES (1, 0, '')",
    "CREATE INDEX record_kind ON record (kind, grade)",
    "CREATE INDEX notice_entry ON notice (entry) WHERE entry IS NOT NULL",
)

ENTRY_INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS entry_order ON entry (priority, evidence, physical, id) WHERE wanted",
    "CREATE INDEX IF NOT EXISTS entry_path ON entry (evidence, volume, path)",
)
"""Made when the first walk is whole: twice as fast as keeping them while a million entries come in."""


def create_tables(db: sqlite3.Connection) -> None:
    """Make the tables of an empty store."""
    db.execute("BEGIN")
    for statement in _TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")


def version_of(db: sqlite3.Connection) -> int:
    """Schema version of a store; 0 if the file is an SQLite database of someone else."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return 0
    return int(db.execute("PRAGMA user_version").fetchone()[0])
