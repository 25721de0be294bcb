"""``triage scan``: evidence in, a case and its report out."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from triage.case.rows import Coverage, HitCount
from triage.case.store import CaseStore
from triage.cli.options import Digests64, KeyFiles, Operator, Passwords, RecoveryKeys, Shadows, open_options
from triage.cli.progress import duration, shown
from triage.engine.discover import Discovery, discover
from triage.engine.profile import profile as named_profile
from triage.engine.request import ScanRequest
from triage.engine.run import ScanSummary, Steps
from triage.engine.run import scan as run_scan
from triage.errors import INCOMPLETE, UsageError
from triage.records import EXCLUDE, PRESSING, Grade

_RULES: Final = "yara.scan"


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command(epilog="Example:  triage scan laptop.E01 --case case-17 --hashset known.vics.json")(scan)


def scan(
    evidence: Annotated[
        list[Path], typer.Argument(metavar="EVIDENCE...", help="Images (first segments), devices, folders.")
    ],
    case: Annotated[Path, typer.Option("--case", metavar="DIR", help="Case folder; the same again continues a scan.")],
    profile: Annotated[
        str, typer.Option(help="triage, or full (also --carve, --perceptual, digests of raw media).")
    ] = "triage",
    hashset: Annotated[
        list[Path],
        typer.Option(
            "--hashset",
            metavar="FILE",
            help="Known files: a set that `triage hashset build` made, or a list (VICS, NSRL, NCMEC, CSV, md5sum …).",
        ),
    ] = [],  # noqa: B006 - typer copies it
    scheme: Annotated[
        str, typer.Option(metavar="NAME", help="Whose categories the lists hold, such as vic-us; sets know their own.")
    ] = "",
    digests: Annotated[Digests64 | None, typer.Option(help="What bare 64-digit values in the lists are.")] = None,
    fragments: Annotated[
        list[Path],
        typer.Option("--fragments", metavar="FILE", help="Blocks of known files, see `triage hashset fragments`."),
    ] = [],  # noqa: B006
    perceptual: Annotated[
        bool,
        typer.Option(
            "--perceptual",
            help="Make perceptual digests of all pictures, though no set holds such (slower; the profile full does).",
        ),
    ] = False,
    rank_pictures: Annotated[
        bool,
        typer.Option("--rank-pictures", help="Score pictures for the order of review (extra `ranking`; no judgement)."),
    ] = False,
    carve: Annotated[
        bool, typer.Option("--carve", help="Look for pictures and videos in unallocated space (the profile full does).")
    ] = False,
    rules: Annotated[
        list[Path], typer.Option("--rules", metavar="PATH", help="YARA file or folder, besides the bundled rules.")
    ] = [],  # noqa: B006
    plugins: Annotated[
        list[Path],
        typer.Option(
            "--plugins", metavar="DIR", help="Folder of drop-in plugins. They run with your rights: read them first."
        ),
    ] = [],  # noqa: B006
    password: Passwords = [],  # noqa: B006
    recovery_key: RecoveryKeys = [],  # noqa: B006
    key_file: KeyFiles = [],  # noqa: B006
    shadow_copies: Shadows = False,
    verify_media: Annotated[
        bool,
        typer.Option(
            help="Compare the digests that an image stores with its media, when all else is done; or leave it to a "
            "later run."
        ),
    ] = True,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: one per processor.")] = 0,
    operator: Operator = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
) -> None:
    """Scan evidence read-only into a case and write its report."""
    for path in [*hashset, *fragments, *rules, *plugins]:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    folders = tuple(path.resolve() for path in plugins)
    discovery = discover(folders)
    chosen = named_profile(profile)
    request = ScanRequest(
        evidence=tuple(evidence),
        case=case,
        profile=replace(
            chosen, perceptual=perceptual or chosen.perceptual, carve=carve or chosen.carve, rank=rank_pictures
        ),
        options=open_options(password, recovery_key, key_file, shadow_copies),
        plugin_options=_plugin_options(discovery, rules),
        hashsets=tuple(path.resolve() for path in hashset),
        scheme=scheme,
        fragments=tuple(path.resolve() for path in fragments),
        hex64="" if digests is None else digests.value,
        plugin_folders=folders,
        workers=workers,
        operator=operator,
        verify_media=verify_media,
    )
    # Who waits for the answer gets it before the media have been digested; the last report says how that went.
    steps = Steps(_prepare, lambda store: _report(store, case, operator))
    with shown(quiet) as observer:
        summary = run_scan(request, observer, discovery, steps)
    with CaseStore.open(case, writable=True) as store:
        index = _report(store, case, operator, summary.totals)
        counts = store.hit_counts()
    _tell(summary, counts, index)
    raise typer.Exit(summary.exit_code)


def _prepare() -> None:
    from triage.report.html import templates  # costs as much as writing a report, and the start of a scan has no time

    templates()


def _report(store: CaseStore, case: Path, operator: str, totals: Coverage | None = None) -> Path:
    from triage.report.build import build_report

    return build_report(store, case, operator, totals)


def _plugin_options(discovery: Discovery, rules: list[Path]) -> dict[str, object]:
    if not rules:
        return {}
    for loaded in discovery.loaded:
        if loaded.plugin.id == _RULES:
            return {_RULES: loaded.plugin.Options(rules=tuple(path.resolve() for path in rules))}
    raise UsageError(f"the plugin {_RULES} that --rules is for is not loaded; see `triage plugins`")


def _tell(summary: ScanSummary, counts: list[HitCount], index: Path) -> None:
    """How the scan ended and what the case holds now, in a few lines."""
    console = Console(highlight=False, soft_wrap=True)
    progress = summary.progress
    console.print(
        f"{progress.entries:,} entries, {progress.files:,} files, {progress.bytes / 1e6:,.1f} MB read in "
        f"{duration(summary.seconds)}"
    )
    exact = [count for count in counts if count.grade == Grade.EXACT.value]
    pressing = sum(count.files for count in exact if count.disposition in PRESSING)
    if pressing:
        console.print(f"[bold red]{pressing:,} files match known files[/]")
    for count in exact:
        if count.disposition == EXCLUDE:
            console.print(f"{count.files:,} files are in sets of harmless files and need not be looked at")
        elif count.disposition not in PRESSING:
            console.print(f"[yellow]{count.files:,} files match known files of the disposition {count.disposition}[/]")
    others = Counter[str]()
    for count in counts:
        if count.grade != Grade.EXACT.value and count.disposition != EXCLUDE:
            others[count.grade] += count.files
    if others:
        console.print(f"[yellow]candidates:[/] {', '.join(f'{grade} {number:,}' for grade, number in others.items())}")
    if not counts:
        console.print("no hits with the lists and rules that were loaded")
    if summary.exit_code == INCOMPLETE:
        console.print("[yellow]coverage is incomplete:[/] see the report's first page or `triage coverage`")
    console.print("report:", style="bold", end=" ")
    console.print(str(index.resolve()), markup=False)
