"""Files for other tools, made from a case alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from triage.case.reader import PAGE, CaseReader
from triage.case.rows import StoredEntry
from triage.report import listings
from triage.report.bodyfile import bodyfile_lines
from triage.report.listings import Row
from triage.report.writing import new_file, new_folder, write_csv, write_jsonl
from triage.timeline import Event, events
from triage.times import iso

TIMESKETCH_FIELDS: Final = ("message", "datetime", "timestamp_desc", "timestamp", "time_basis", *(
    name for name in listings.FIELDS["timeline"] if name not in ("message", "datetime", "timestamp_desc", "basis")
))  # fmt: skip
"""Timesketch asks for the first three; its ``datetime`` must have a zone, and ``time_basis`` says if that means one."""

LOCAL_BASIS: Final = "wall clock without a zone, written as if it were UTC"


def write_exports(store: CaseReader, folder: Path) -> Path:
    """Write all exports of a case to ``folder``, in place of what it held, and return it.

    ``timeline.csv`` and ``timeline.jsonl`` (Timesketch), ``bodyfile.txt`` (mactime), ``hits`` and ``notices`` and the
    coverage tables as CSV, hits as JSON lines too, and the custody log as text.

    Raises:
        CaseError: the folder cannot be written.
    """
    tables = {
        "hits": listings.hit_rows,
        "notices": listings.notice_rows,
        "coverage": listings.coverage_rows,
        "not_read": listings.not_read_rows,
        "volumes": listings.volume_rows,
        "evidence": listings.evidence_rows,
    }
    with new_folder(folder) as new:
        for name, rows in tables.items():
            with new_file(new / f"{name}.csv") as stream:
                write_csv(rows(store), listings.FIELDS[name], stream)
        with new_file(new / "hits.jsonl") as stream:
            write_jsonl(listings.hit_rows(store), stream)
        with new_file(new / "timeline.csv") as table, new_file(new / "timeline.jsonl") as lines:
            # Sorting a million times once, not once for each file.
            write_csv(_copied(timesketch_rows(store), lines), TIMESKETCH_FIELDS, table)
        with new_file(new / "custody.txt") as stream:
            stream.writelines(line + "\n" for line in store.custody.lines())
        with (new / "bodyfile.txt").open("wb") as body:
            body.writelines(line + b"\n" for line in bodyfile(store))
    return folder


def timesketch_rows(store: CaseReader) -> Iterator[Row]:
    """The whole timeline in the form that Timesketch imports.

    Format: https://timesketch.org/guides/user/import-from-json-csv/ – ``datetime`` in ISO 8601 with a zone and
    ``timestamp`` in µs. A time that the source keeps without a zone has ``+00:00`` too, and ``time_basis`` says so.
    """
    labels = {row.id: row.label for row in store.evidence()}
    for event in events(store):
        yield _timesketch_row(event, labels[event.entry.evidence])


def _copied(rows: Iterator[Row], lines: TextIO) -> Iterator[Row]:
    for row in rows:
        write_jsonl((row,), lines)
        yield row


def _timesketch_row(event: Event, label: str) -> Row:
    ns, basis = event.time.ns, event.time.basis
    precision, kind, message, *rest = listings.event_values(event, label)
    values = (
        message, iso(ns, 1_000) + "+00:00", event.description, ns // 1_000,
        LOCAL_BASIS if basis == "local" else basis, precision, kind, *rest,
    )  # fmt: skip
    return dict(zip(TIMESKETCH_FIELDS, values, strict=True))


def bodyfile(store: CaseReader) -> Iterator[bytes]:
    """Body-file lines of all entries, in the order of the walk; evidence and volume stand before the path."""
    labels = {row.id: row.label for row in store.evidence()}
    page = []
    for stored in store.entries():
        page.append(stored)
        if len(page) == PAGE:
            yield from _bodyfile_page(store, labels, page)
            page = []
    yield from _bodyfile_page(store, labels, page)


def _bodyfile_page(store: CaseReader, labels: dict[int, str], page: list[StoredEntry]) -> Iterator[bytes]:
    contents = store.contents_by_id([stored.id for stored in page])
    for stored in page:
        content = contents.get(stored.id)
        md5 = content.digests.get("md5", "") if content else ""
        yield from bodyfile_lines(labels[stored.evidence], stored.volume, stored.entry, md5)
