"""What the first page of the report says: the verdict, and what was not examined."""

from typing import Final, NamedTuple

from triage.case import custody
from triage.case.coverage import (
    EMPTY,
    EXAMINED_STATES,
    HOLLOW,
    LEFT_OUT_STATES,
    SEARCHED,
    SHORTFALLS,
    UNEXAMINED_OUTCOMES,
    VIRTUAL,
)
from triage.case.exposure import exposure
from triage.case.reader import CaseReader
from triage.case.rows import Coverage, EvidenceRow, HitCount
from triage.evidence.entry import EntryType
from triage.notices import INCOMPLETE_KINDS
from triage.records import PRESSING, Grade
from triage.report.pictures import group_count, has_digests
from triage.report.text import size_text
from triage.report.words import OUTCOME_NAMES, TEXT, VOLUME_STATES, counted

_NOTHING_THERE: Final = (EMPTY, HOLLOW, SEARCHED, VIRTUAL)
_INCOMPLETE: Final = {kind.value for kind in INCOMPLETE_KINDS}


class Verdict(NamedTuple):
    """The first words of a report. ``colour`` is ``red``, ``amber`` or ``calm``."""

    colour: str
    title: str
    text: str
    warnings: tuple[str, ...]


class Unexamined(NamedTuple):
    """One thing that was not examined, why, and how much of it there is.

    ``shortfall`` says that it makes coverage incomplete, as the exit code of the scan does; what nobody can read any
    more (deleted and overwritten) and what was left out on request is listed without.
    """

    what: str
    why: str
    amount: str
    shortfall: bool = True


class DigestLine(NamedTuple):
    """What the image stores and what was computed, for one algorithm."""

    name: str
    judgement: str
    bad: bool
    lines: tuple[tuple[str, str], ...]


def verdict(counts: list[HitCount], unexamined: list[Unexamined], finished: bool) -> Verdict:
    """The verdict from hits whose disposition is pressing. What is incomplete is always said with it."""
    alerts = [count for count in counts if count.disposition in PRESSING]
    exact = sum(count.files for count in alerts if count.grade == Grade.EXACT.value)
    others = sum(count.hits for count in alerts if count.grade != Grade.EXACT.value)
    warnings = [] if finished else [TEXT["verdict_unfinished"]]
    warnings += [TEXT["verdict_incomplete"]] if any(one.shortfall for one in unexamined) else []
    if exact:
        text = TEXT["verdict_exact_text"].format(files=counted(exact, "file", "files"))
        return Verdict("red", TEXT["verdict_exact"], text, tuple(warnings))
    if others:
        text = TEXT["verdict_candidates_text"].format(hits=counted(others, "candidate", "candidates"))
        return Verdict("amber", TEXT["verdict_candidates"], text, tuple(warnings))
    return Verdict("calm", TEXT["verdict_nothing"], TEXT["verdict_nothing_text"], tuple(warnings))


def is_finished(store: CaseReader) -> bool:
    """Whether the last scan that was started has ended."""
    started, finished = store.custody.last(custody.SCAN_STARTED), store.custody.last(custody.SCAN_FINISHED)
    return finished is not None and (started is None or finished.number > started.number)


def not_examined(store: CaseReader, totals: Coverage, finished: bool) -> list[Unexamined]:
    """Everything that holds content and was not examined, largest things first."""
    rows = [] if finished else [Unexamined(TEXT["scan"], TEXT["unfinished"], "")]
    labels = {row.id: row.label for row in store.evidence()}
    rows += [
        Unexamined(f"{TEXT['evidence']} {row.label}", TEXT["walk_unfinished"], "")
        for row in store.evidence()
        if not row.walked
    ]
    for volume in store.volumes():
        if volume.state not in EXAMINED_STATES:
            what = (
                f"{TEXT['volume']} {volume.id or '–'} ({volume.description or volume.type}), {labels[volume.evidence]}"
            )
            why = VOLUME_STATES.get(volume.state, volume.state)
            rows.append(Unexamined(what, why, size_text(volume.size), volume.state not in LEFT_OUT_STATES))
    for unread in totals.unread:
        if unread.reason not in _NOTHING_THERE:
            amount = f"{counted(unread.files, 'file', 'files')}, {size_text(unread.bytes)}"
            what = f"{TEXT['files']}, {unread.evidence}"
            rows.append(Unexamined(what, unread.reason, amount, unread.reason in SHORTFALLS))
    for plugin in totals.plugins:
        for outcome in UNEXAMINED_OUTCOMES:
            if plugin.counts[outcome]:
                amount = counted(plugin.counts[outcome], "file", "files")
                rows.append(Unexamined(f"{TEXT['plugin']} {plugin.plugin}", OUTCOME_NAMES[outcome], amount))
    for plugin, reason in store.manifest().get("plugins left out", {}).items():
        rows.append(Unexamined(f"{TEXT['plugin']} {plugin}", str(reason), "", shortfall=False))
    for broken in store.manifest().get("broken plugins", []):
        rows.append(
            Unexamined(f"{TEXT['broken_plugin']}: {broken.get('origin', '')}", str(broken.get("error", "")), "")
        )
    for kind, number in totals.notices.items():
        if kind in _INCOMPLETE:
            what = TEXT["evidence_notices"].format(kind=kind)
            rows.append(Unexamined(what, TEXT["see_notices"], counted(number, "notice", "notices")))
    return rows


def exposure_lines(store: CaseReader) -> list[tuple[str, str]]:
    """How many pictures and videos there are to look at, and what was taken out of that, and why."""
    seen = exposure(store)
    lines = [
        (TEXT["exposure_media"], f"{seen.files:,}"),
        (TEXT["exposure_distinct"], f"{seen.distinct:,}"),
    ]
    lines += [(TEXT["exposure_set"].format(name=name), f"− {number:,}") for name, number in seen.by_set]
    lines.append((TEXT["exposure_left"], f"{seen.left:,}"))
    if has_digests(store):
        lines.append((TEXT["exposure_groups"], f"{group_count(store):,}"))
    return lines


def digest_lines(row: EvidenceRow) -> list[DigestLine]:
    """Stored beside computed digests of an evidence."""
    lines = []
    for name in sorted({*row.stored_digests, *row.computed_digests}):
        stored, computed = row.stored_digests.get(name), row.computed_digests.get(name)
        shown = [(TEXT["stored"], stored)] if stored else []
        shown += [(TEXT["computed"], computed)] if computed and computed != stored else []
        bad = bool(stored and computed and stored != computed)
        if stored and computed:
            judgement = TEXT["differ"] if bad else TEXT["match"]
        else:
            judgement = TEXT["not_computed"] if stored else TEXT["not_stored"]
        lines.append(DigestLine(name, judgement, bad, tuple(shown)))
    return lines


def entry_totals(totals: Coverage) -> tuple[int, int]:
    """Number of entries, and of deleted ones; those made up by the reader are left out."""
    real = [row for row in totals.entries if row.type not in (EntryType.VIRTUAL_FILE, EntryType.VIRTUAL_DIRECTORY)]
    return sum(row.entries for row in real), sum(row.entries for row in real if row.deleted)
