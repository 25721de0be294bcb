"""The live display of a scan: stage, rate, hits and an honest time to go."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from triage.engine.request import Progress
from triage.engine.run import Observer
from triage.records import Grade

_COLOURS = {Grade.EXACT: "bold red", Grade.PARTIAL: "yellow", Grade.NEAR: "yellow"}
_PLAIN_EVERY = 10.0


def duration(seconds: float) -> str:
    """Seconds in the largest fitting units.

    >>> duration(75), duration(8000)
    ('1 min 15 s', '2 h 13 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class _Rate:
    """Time to go, from the bytes and the files that are left: whichever is the slower is what one waits for."""

    def __init__(self) -> None:
        self._began: float | None = None

    def text(self, progress: Progress) -> str:
        if progress.stage != "reading" or not progress.files_total:
            return ""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        passed = now - self._began
        rate = (
            f"{progress.bytes / 1e6 / passed:,.0f} MB/s · {progress.files / passed:,.0f} files/s" if passed > 1 else ""
        )
        # A guess from the first seconds is worth nothing, and saying so is better than a wild number.
        if passed < 3 or not progress.files:
            return f"{rate} · time to go: not known yet".strip(" ·")
        shares = [progress.files / progress.files_total]
        if progress.bytes_total:
            shares.append(progress.bytes / progress.bytes_total)
        share = min(shares)
        return (
            f"{rate} · about {duration(passed / share - passed)} to go"
            if share > 0.01
            else f"{rate} · time to go: not known yet"
        )


def _view(progress: Progress, rate: str, began: float) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("stage", f"[bold]{progress.stage}[/bold]   {duration(time.monotonic() - began)}")
    table.add_row("entries", f"{progress.entries:,}")
    if progress.files_total:
        table.add_row(
            "content",
            f"{progress.files:,} of {progress.files_total:,} files · {progress.bytes / 1e6:,.0f} of "
            f"{progress.bytes_total / 1e6:,.0f} MB   {rate}",
        )
    hits = "  ".join(
        f"[{_COLOURS.get(grade, 'cyan')}]{grade.value} {count:,}[/]" for grade, count in progress.hits.items() if count
    )
    table.add_row("hits", hits or "none so far")
    table.add_row("notices", f"{progress.notices:,}")
    return table


@contextmanager
def shown(quiet: bool) -> Iterator[Observer]:
    """An observer that shows progress on a terminal, or a line now and then where there is none."""
    began, rate = time.monotonic(), _Rate()
    console = Console(stderr=True)
    if quiet:
        yield lambda _progress: None
    elif not console.is_terminal:
        yield _plain(began, rate)
    else:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            last = [0.0]

            def observe(progress: Progress) -> None:
                if time.monotonic() - last[0] > 0.2:
                    last[0] = time.monotonic()
                    live.update(_view(progress, rate.text(progress), began))

            yield observe


def _plain(began: float, rate: _Rate) -> Observer:
    last = [time.monotonic()]

    def observe(progress: Progress) -> None:
        if time.monotonic() - last[0] > _PLAIN_EVERY:
            last[0] = time.monotonic()
            typer.echo(
                f"{duration(time.monotonic() - began)}: {progress.stage}, "
                f"{progress.files:,}/{progress.files_total:,} files, "
                f"{sum(progress.hits.values()):,} hits, {progress.notices:,} notices; {rate.text(progress)}",
                err=True,
            )

    return observe
