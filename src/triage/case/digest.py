"""One digest over all that was found, the same for the same input however the work was divided."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from json import JSONEncoder
from typing import Any, Final

from triage.case.codec import ENTRY_COLUMNS
from triage.case.reader import NOTICE_COLUMNS, CaseReader
from triage.case.rows import canonical

_QUERIES: Final = {
    # Not where the evidence lay: the same image from another disk is the same input.
    "evidence": "SELECT id, label, type, size, stored_digests, facts, walked FROM evidence ORDER BY id",
    "volume": "SELECT * FROM volume ORDER BY evidence, position",
    "entry": f"SELECT {ENTRY_COLUMNS}, wanted FROM entry ORDER BY id",  # noqa: S608 - constants
    "content": "SELECT * FROM content ORDER BY entry",
    "record": "SELECT entry, plugin, sequence, kind, body FROM record ORDER BY entry, plugin, sequence",
    "notice": f"SELECT {NOTICE_COLUMNS} FROM notice ORDER BY {NOTICE_COLUMNS}",  # noqa: S608
}
LARGE: Final = ("entry", "content", "record")
"""Tables that grow with the evidence; their digests may be made in other processes."""


_ROWS: Final = 500
_encode: Final = JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=bytes.hex, check_circular=False).encode
"""As `canonical`, bytes as hex; made once, for a case has millions of rows."""


def content_digest(store: CaseReader, known: Mapping[str, str] | None = None) -> str:
    """SHA-256 (hex) over evidence, volumes, entries, contents, records and notices.

    It is made over one line for each table, in a fixed order: its name, a space, and its `table_digest`. ``known``
    holds those that are made already. Left out is what may differ between two runs over the same input: paths of
    evidence on this machine, digests made over whole media, the manifest with its times, and the custody log.
    """
    made = known or {}
    lines = [f"{table} {made[table] if table in made else table_digest(store, table)}\n" for table in _QUERIES]
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()


def table_digest(store: CaseReader, table: str) -> str:
    """SHA-256 (hex) over a canonical JSON array of the rows of one table, in a fixed order, bytes as hex."""
    digest = hashlib.sha256()
    for part in _array(store.rows(_QUERIES[table])):
        digest.update(part.encode("ascii"))
    return digest.hexdigest()


def _array(rows: Iterator[Any]) -> Iterator[str]:
    """The text of a JSON array of all rows, in parts: many rows at a time are encoded twice as fast."""
    before = "["
    while some := list(islice(rows, _ROWS)):
        yield before + _encode(some)[1:-1]
        before = ","
    yield "]" if before == "," else "[]"


def provenance_digest(store: CaseReader) -> str:
    """SHA-256 (hex) over the manifest and the digests computed over media: what `content_digest` leaves out."""
    computed = [
        list(row) for row in store.rows("SELECT label, computed_digests, digest_note FROM evidence ORDER BY id")
    ]
    return hashlib.sha256(canonical([store.manifest(), computed]).encode("ascii")).hexdigest()
