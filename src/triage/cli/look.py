"""``triage info``, ``ls`` and ``cat``: look at evidence without a case. Nothing is written anywhere."""

import csv
import gc
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from triage.case.rows import VolumeRow
from triage.cli.options import (
    EvidencePath,
    Format,
    FormatOption,
    KeyFiles,
    Passwords,
    RecoveryKeys,
    Shadows,
    open_options,
)
from triage.cli.output import write_rows
from triage.errors import INCOMPLETE, EvidenceError, UsageError
from triage.evidence.entry import Entry, Evidence, FileSystem, OpenOptions, content
from triage.evidence.open import evidence_label, open_evidence
from triage.notices import INCOMPLETE_KINDS, Notice
from triage.report.bodyfile import bodyfile_lines
from triage.report.entry_lines import csv_rows, json_lines
from triage.report.listings import FIELDS, Row, clock_of, stamp, volume_row
from triage.report.text import visible
from triage.times import Clock

_COPY_STEP: Final = 4 << 20
_GARBAGE: Final = 100_000
"""Entries of a walk are many and none of them is garbage: looking for some less often saves a tenth."""


class ListFormat(StrEnum):
    """How entries are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    BODYFILE = "bodyfile"


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command(epilog="Example:  triage info laptop.E01")(info)
    app.command(epilog="Example:  triage ls laptop.E01 --format bodyfile > body.txt")(ls)
    app.command(epilog="Example:  triage cat laptop.E01 /Users/Amani/notes.txt > notes.txt")(cat)


class _Doubts:
    """Notices that turn up while looking: told on the error stream, and remembered for the exit code."""

    def __init__(self) -> None:
        self.incomplete = False

    def tell(self, found: Notice) -> None:
        self.incomplete = self.incomplete or found.kind in INCOMPLETE_KINDS
        typer.echo(f"{found.kind_text}: {visible(f'{found.source}: {found.message}')}", err=True)

    def end(self) -> None:
        if self.incomplete:
            raise typer.Exit(INCOMPLETE)


def _open(path: Path, options: OpenOptions, doubts: _Doubts) -> Evidence:
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    evidence = open_evidence(path, evidence_label(path, ()), options)
    for found in evidence.notices:
        doubts.tell(found)
    return evidence


def info(
    evidence: EvidencePath,
    form: FormatOption = Format.TABLE,
    password: Passwords = [],  # noqa: B006 - typer copies it
    recovery_key: RecoveryKeys = [],  # noqa: B006
    key_file: KeyFiles = [],  # noqa: B006
) -> None:
    """Say what an evidence is: container, stored digests and facts, volumes and file systems."""
    doubts = _Doubts()
    opened = _open(evidence, open_options(password, recovery_key, key_file, False), doubts)
    if form is Format.TABLE:
        facts = {"type": opened.type, "media size": f"{opened.size:,} bytes", "files": str(len(opened.files))}
        facts |= {f"stored {name}": digest for name, digest in opened.stored_digests.items()} | dict(opened.facts)
        for name, value in facts.items():
            typer.echo(f"{name:20} {visible(value)}")
    rows = (
        volume_row(
            VolumeRow(
                0, v.id, v.type, v.offset, v.size, v.state, v.description, ", ".join(f.type for f in v.file_systems)
            ),
            opened.label,
        )
        for v in opened.volumes
    )
    write_rows("volumes", rows, form, ("volume", "type", "file_system", "state", "offset", "size", "description"))
    doubts.end()


def ls(
    evidence: EvidencePath,
    form: Annotated[
        ListFormat, typer.Option("--format", help="table, csv, jsonl or bodyfile (TSK 3).")
    ] = ListFormat.TABLE,
    volume: Annotated[str, typer.Option(help="Only this volume, by the id that `triage info` shows.")] = "",
    password: Passwords = [],  # noqa: B006
    recovery_key: RecoveryKeys = [],  # noqa: B006
    key_file: KeyFiles = [],  # noqa: B006
    shadow_copies: Shadows = False,
) -> None:
    """List all entries, live, deleted and orphan, with their streams."""
    gc.set_threshold(_GARBAGE)
    doubts = _Doubts()
    options = open_options(password, recovery_key, key_file, shadow_copies)
    opened = _open(evidence, options, doubts)
    systems = _chosen(opened, volume)
    if form is ListFormat.BODYFILE:
        for system in systems:
            prefix = system.locator.volume if len(systems) > 1 else ""
            for entry in _entries(system, doubts):
                for line in bodyfile_lines("", prefix, entry):
                    sys.stdout.buffer.write(line + b"\n")
    elif form is ListFormat.JSONL:
        for system in systems:
            sys.stdout.writelines(json_lines(*_place(system), _entries(system, doubts)))
    elif form is ListFormat.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(FIELDS["entries"])
        for system in systems:
            writer.writerows(csv_rows(*_place(system), _entries(system, doubts)))
    else:
        rows = (row for system in systems for row in _rows(system, doubts))
        shown = ("volume", "address", "type", "deleted", "size", "modified", "stream", "path")
        write_rows("entries", rows, Format.TABLE, shown)
    doubts.end()


def cat(
    evidence: EvidencePath,
    path: Annotated[str, typer.Argument(help="Path in the evidence; `path:stream` for an alternate stream.")] = "",
    address: Annotated[str, typer.Option(help="Metadata address instead of a path, as `triage ls` shows it.")] = "",
    volume: Annotated[str, typer.Option(help="Only in this volume.")] = "",
    password: Passwords = [],  # noqa: B006
    recovery_key: RecoveryKeys = [],  # noqa: B006
    key_file: KeyFiles = [],  # noqa: B006
    shadow_copies: Shadows = False,
) -> None:
    """Write the content of one entry to the standard output."""
    if bool(path) == bool(address):
        raise UsageError("name a path or an --address, one of them")
    doubts = _Doubts()
    opened = _open(evidence, open_options(password, recovery_key, key_file, shadow_copies), doubts)
    system, entry = _the_one(_chosen(opened, volume), path, address)
    source = content(system, entry)
    for offset in range(0, source.size, _COPY_STEP):
        sys.stdout.buffer.write(source.read_at(offset, min(_COPY_STEP, source.size - offset)))
    sys.stdout.buffer.flush()


def _chosen(opened: Evidence, volume: str) -> list[FileSystem]:
    systems = opened.file_systems()
    if not volume:
        return list(systems.values())
    if volume not in systems:
        known = ", ".join(repr(name) for name in systems) or "none"
        raise UsageError(f"no file system is in a volume {volume!r}; there are: {known}")
    return [systems[volume]]


def _entries(system: FileSystem, doubts: _Doubts) -> Iterator[Entry]:
    for found in system.walk():
        if isinstance(found, Entry):
            yield found
        else:
            doubts.tell(found)


def _place(system: FileSystem) -> tuple[str, str, Clock]:
    return system.locator.evidence, system.locator.volume, clock_of(system.type)


def _rows(system: FileSystem, doubts: _Doubts) -> Iterator[Row]:
    """Rows with no more than the table shows: making all fields of them takes longer than the walk."""
    _, volume, clock = _place(system)
    for entry in _entries(system, doubts):
        modified = stamp(entry.times.modified, clock.modified, clock.basis)
        yield {
            "volume": volume, "address": entry.address, "type": entry.type, "deleted": bool(entry.flags & 1),
            "size": entry.size, "modified": modified, "stream": entry.stream, "path": entry.path,
        }  # fmt: skip


def _the_one(systems: list[FileSystem], path: str, address: str) -> tuple[FileSystem, Entry]:
    """The entry that is meant; a live one before deleted ones of the same name.

    Raises:
        UsageError: there is none, or several that the words do not tell apart.
    """
    found: dict[tuple[str, str, str], tuple[FileSystem, Entry]] = {}
    for system in systems:
        for entry in system.walk():
            if isinstance(entry, Entry) and _is_meant(entry, path, address):
                found.setdefault((system.locator.volume, entry.address, entry.stream), (system, entry))
    live = {key: pair for key, pair in found.items() if not pair[1].flags & 1}
    candidates = live or found
    if not candidates:
        raise UsageError(f"no entry is called {path or address!r}; `triage ls` lists them")
    if len(candidates) > 1:
        which = "; ".join(f"--volume {v!r} --address {a}" for v, a, _ in list(candidates)[:10])
        raise UsageError(f"several entries are called {path or address!r}: {which}")
    system, entry = next(iter(candidates.values()))
    if entry.type not in "r-v":
        raise EvidenceError(f"{entry.path} has no content that could be written (type {entry.type})")
    return system, entry


def _is_meant(entry: Entry, path: str, address: str) -> bool:
    if address:
        return entry.address == address
    return path == (f"{entry.path}:{entry.stream}" if entry.stream else entry.path)
