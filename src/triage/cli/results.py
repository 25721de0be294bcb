"""Verbs on a case: its listings, its report, its verification; and the list of plugins."""

import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from triage.case.store import CaseStore
from triage.cli.options import CasePath, Format, FormatOption, Operator
from triage.cli.output import write_rows
from triage.engine.discover import discover
from triage.engine.manifest import plugin_sections
from triage.errors import IntegrityError
from triage.report import listings
from triage.report.build import build_exports, build_report
from triage.report.exports import TIMESKETCH_FIELDS, bodyfile, timesketch_rows
from triage.report.listings import Row
from triage.report.pictures import picture_rows
from triage.report.writing import write_csv, write_jsonl
from triage.verify import verify_case

Rows = Callable[[CaseStore], Iterator[Row]]


class TimelineFormat(StrEnum):
    """How a timeline is written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    TIMESKETCH_CSV = "timesketch-csv"
    TIMESKETCH_JSONL = "timesketch-jsonl"
    BODYFILE = "bodyfile"


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command(epilog="Example:  triage hits case-17 --format jsonl")(hits)
    app.command(epilog="Example:  triage timeline case-17 --format timesketch-csv > timeline.csv")(timeline)
    app.command(epilog="Example:  triage pictures case-17 --format csv > pictures.csv")(pictures)
    app.command(epilog="Example:  triage notices case-17")(notices)
    app.command(epilog="Example:  triage coverage case-17")(coverage)
    app.command(epilog="Example:  triage report case-17")(report)
    app.command(epilog="Example:  triage export case-17")(export)
    app.command(epilog="Example:  triage verify case-17")(verify)
    app.command(epilog="Example:  triage plugins --plugins ./my-plugins")(plugins)


def hits(case: CasePath, form: FormatOption = Format.TABLE) -> None:
    """List hits, strongest grade first."""
    shown = ("grade", "name", "category", "deleted", "detail", "stream", "path")
    _list(case, "hits", listings.hit_rows, form, shown)


def timeline(
    case: CasePath,
    form: Annotated[
        TimelineFormat,
        typer.Option("--format", help="table, csv, jsonl, timesketch-csv, timesketch-jsonl or bodyfile."),
    ] = TimelineFormat.TABLE,
) -> None:
    """List everything that has a time, in order."""
    with CaseStore.open(case) as store:
        if form is TimelineFormat.BODYFILE:
            sys.stdout.buffer.writelines(line + b"\n" for line in bodyfile(store))
        elif form is TimelineFormat.TIMESKETCH_CSV:
            write_csv(timesketch_rows(store), TIMESKETCH_FIELDS, sys.stdout)
        elif form is TimelineFormat.TIMESKETCH_JSONL:
            write_jsonl(timesketch_rows(store), sys.stdout)
        else:
            shown = ("datetime", "timestamp_desc", "basis", "message")
            write_rows("timeline", listings.timeline_rows(store), Format(form.value), shown)


def pictures(case: CasePath, form: FormatOption = Format.TABLE) -> None:
    """List pictures in groups that look alike (with --perceptual), so that one decision serves many. None is shown."""
    _list(case, "pictures", picture_rows, form, ("group", "group_size", "known", "width", "height", "quality", "path"))


def notices(case: CasePath, form: FormatOption = Format.TABLE) -> None:
    """List what could not be examined, and why."""
    _list(case, "notices", listings.notice_rows, form, ("kind", "origin", "message", "volume", "path"))


def coverage(case: CasePath, form: FormatOption = Format.TABLE) -> None:
    """Say how every plugin ended on how many files, and which files were not read."""
    _list(case, "coverage", listings.coverage_rows, form, listings.FIELDS["coverage"])
    if form is Format.TABLE:
        typer.echo("files whose content was not read:")
        _list(case, "not_read", listings.not_read_rows, form, listings.FIELDS["not_read"])


def report(case: CasePath, operator: Operator = "") -> None:
    """Write the HTML report again. The evidence is not needed."""
    with CaseStore.open(case, writable=True) as store:
        index = build_report(store, case, operator)
    typer.echo(str(index.resolve()))


def export(case: CasePath, operator: Operator = "") -> None:
    """Write every listing for other tools: CSV, JSON lines, Timesketch, body file, custody log."""
    with CaseStore.open(case, writable=True) as store:
        folder = build_exports(store, case, operator)
    typer.echo(str(folder.resolve()))


def verify(case: CasePath, operator: Operator = "") -> None:
    """Check the custody log, the report, what the scan was made with, and the evidence against their digests."""
    checks = verify_case(case, operator)
    words = {True: "ok", False: "FAILED", None: "not checked"}
    for check in checks:
        typer.echo(f"{words[check.ok]:12} {check.name}: {check.detail}")
    failed = [check.name for check in checks if check.ok is False]
    if failed:
        raise IntegrityError(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")


def plugins(
    folders: Annotated[list[Path], typer.Option("--plugins", metavar="DIR", help="Folder of drop-in plugins.")] = [],  # noqa: B006
    form: FormatOption = Format.TABLE,
) -> None:
    """List the plugins: what is loaded and from where, and what is broken and why."""
    rows = listings.plugin_rows(plugin_sections(discover(tuple(folders))))
    write_rows("plugins", rows, form, ("plugin", "state", "origin", "module", "error"))


def _list(case: Path, listing: str, rows: Rows, form: Format, shown: tuple[str, ...]) -> None:
    with CaseStore.open(case) as store:
        write_rows(listing, rows(store), form, shown)
