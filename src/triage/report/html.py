"""The report: a folder of plain pages that loads nothing from anywhere, made from the store alone.

Every text of evidence passes through the filter ``shown``: escaped for HTML, shortened if it is absurdly long, with
characters that cannot be seen set apart. There are no scripts and no pictures; the same store gives the same bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from triage.case.coverage import coverage
from triage.case.reader import GRADE_ORDER, CaseReader
from triage.case.rows import Coverage, Json
from triage.notices import Outcome
from triage.records import EXCLUDE, PRESSING
from triage.report import findings, listings
from triage.report.listings import Row
from triage.report.text import parts, size_text
from triage.report.words import (
    ENTRY_TYPES,
    GRADE_MEANINGS,
    GRADE_NAMES,
    OUTCOME_NAMES,
    TEXT,
    VOLUME_STATES,
    counted,
)
from triage.report.writing import new_file, new_folder
from triage.timeline import count as count_events
from triage.timeline import undatable
from triage.times import iso

PAGE_ROWS: Final = 200
MAX_ROWS: Final = 20_000
"""Rows of one listing in the report; the exports hold all. The page says so where it ends early."""

LONGEST: Final = 600
"""Characters of one evidence text; a name of 4 KiB would fill a page."""

INDEX: Final = "index.html"
_FRAME: Final = "base.html"


class Page(NamedTuple):
    """One page to write: file name, template, and what the template is given."""

    name: str
    template: str
    values: dict[str, Any]


def write_report(store: CaseReader, folder: Path, totals: Coverage | None = None) -> Path:
    """Write the report to ``folder``, in place of what it held, and return the path of its first page.

    ``totals`` is the coverage of the store, if the caller has counted it already.

    Raises:
        CaseError: the folder cannot be written. IntegrityError: the store is damaged.
    """
    site = _Site(store, totals or coverage(store))
    made = templates()
    with new_folder(folder) as new:
        for page in site.pages():
            text = made[page.template].render(site.frame(page.name) | page.values)
            with new_file(new / page.name) as stream:
                stream.write(text)
        with new_file(new / "style.css") as stream:
            stream.write(files("triage.report").joinpath("static/style.css").read_text("utf-8"))
    return folder / INDEX


def shown(value: object) -> Markup:
    """Evidence text as HTML."""
    text = str(value)
    rest = ""
    if len(text) > LONGEST:
        text, rest = text[:LONGEST], TEXT["shortened"].format(count=f"{len(text):,}")
    made = Markup().join(
        Markup('<span class="esc">{}</span>').format(part) if escaped else escape(part) for part, escaped in parts(text)
    )
    return made + Markup(' <span class="sub">{}</span>').format(rest) if rest else made


@cache
def templates() -> Mapping[str, Template]:
    """All templates of pages, compiled once: that takes a third of the time of a report."""
    environment = Environment(
        loader=PackageLoader("triage.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shown"] = shown
    environment.filters["size"] = size_text
    environment.globals["w"] = TEXT
    return {name: environment.get_template(name) for name in environment.list_templates() if name != _FRAME}


class _Pager:
    """Names and neighbours of the pages of one listing with ``count`` rows."""

    def __init__(self, stem: str, count: int, export: str) -> None:
        self._stem = stem
        listed = min(count, MAX_ROWS)
        self.pages = max(1, -(-listed // PAGE_ROWS))
        self.page = 1
        whole = TEXT["rows"].format(count=f"{count:,}")
        names = {"shown": f"{listed:,}", "count": f"{count:,}", "file": export}
        self.capped = TEXT["capped"].format(**names) if count > listed else ""
        self.count_text = self.capped or whole

    def name(self, page: int) -> str:
        return f"{self._stem}-{page}.html"

    @property
    def text(self) -> str:
        return TEXT["page"].format(page=self.page, pages=self.pages)

    @property
    def previous(self) -> str:
        return self.name(self.page - 1) if self.page > 1 else ""

    @property
    def next(self) -> str:
        return self.name(self.page + 1) if self.page < self.pages else ""

    def over(self, rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
        """Each page's name with its rows."""
        iterator = iter(rows)
        for page in range(1, self.pages + 1):
            self.page = page
            yield self.name(page), list(islice(iterator, PAGE_ROWS))


class _Site:
    """All pages of the report on one case."""

    def __init__(self, store: CaseReader, totals: Coverage) -> None:
        self._store = store
        self._manifest = store.manifest()
        self._totals = totals
        self._counts = [count for count in store.hit_counts() if count.disposition != EXCLUDE]
        self._labels = [row.label for row in store.evidence()]
        suite = self._manifest.get("suite", {})
        self._footer = TEXT["footer"].format(name=suite.get("name", ""), version=suite.get("version", ""))

    def frame(self, current: str) -> dict[str, Any]:
        """What every page is given."""
        strongest = next((count.grade for count in self._counts), GRADE_ORDER[0])
        targets = {
            "summary": INDEX,
            "hits": f"hits-{strongest}-1.html",
            "timeline": "timeline-1.html",
            "notices": "notices-1.html",
            "coverage": "coverage.html",
            "provenance": "provenance.html",
        }
        here = current.split("-")[0]
        return {
            "navigation": [(TEXT[f"nav_{name}"], target) for name, target in targets.items()],
            "current": next((target for target in targets.values() if target.split("-")[0] == here), current),
            "labels": self._labels,
            "footer": self._footer,
        }

    def pages(self) -> Iterator[Page]:
        """All pages, each made when it is asked for."""
        yield self._index()
        for grade in GRADE_ORDER:
            yield from self._hits(grade)
        yield from self._timeline()
        yield from self._notices()
        yield self._coverage()
        yield self._provenance()

    def _of_grade(self, grade: str) -> tuple[int, int, int]:
        counts = [count for count in self._counts if count.grade == grade]
        return sum(c.hits for c in counts), sum(c.files for c in counts), sum(c.distinct for c in counts)

    def _index(self) -> Page:
        finished = findings.is_finished(self._store)
        unexamined = findings.not_examined(self._store, self._totals, finished)
        grades = []
        for grade in GRADE_ORDER:
            hits, in_files, distinct = self._of_grade(grade)
            link = f"hits-{grade}-1.html" if hits else ""
            grades.append(
                {"name": GRADE_NAMES[grade], "meaning": GRADE_MEANINGS[grade], "link": link}
                | {"hits": hits, "files": in_files, "distinct": distinct}
            )
        entries, deleted = findings.entry_totals(self._totals)
        records = self._store.record_counts()
        totals = [
            (TEXT["entries"], f"{entries:,}"),
            (TEXT["deleted_entries"], f"{deleted:,}"),
            (TEXT["files_read"], f"{self._totals.files_read:,}"),
            (TEXT["bytes_read"], size_text(self._totals.bytes_read)),
        ]
        kinds = [f"{kind.replace('_', ' ')}: {number:,}" for kind, number in records.items() if kind != "hit"]
        totals.append((TEXT["records"], ", ".join(kinds) or TEXT["none"]))
        values = {
            "heading": TEXT["nav_summary"],
            "verdict": findings.verdict(self._counts, unexamined, finished),
            "not_examined": unexamined,
            "grades": grades,
            "other_dispositions": [
                TEXT["other_dispositions"].format(
                    hits=counted(c.hits, f"{c.grade} hit", f"{c.grade} hits"), disposition=c.disposition
                )
                for c in self._counts
                if c.disposition not in PRESSING
            ],
            "evidence": [{"row": row, "digests": findings.digest_lines(row)} for row in self._store.evidence()],
            "exposure": findings.exposure_lines(self._store),
            "totals": totals,
        }
        return Page(INDEX, "index.html", values)

    def _hits(self, grade: str) -> Iterator[Page]:
        number = self._of_grade(grade)[0]
        if not number and grade != GRADE_ORDER[0]:
            return
        pager = _Pager(f"hits-{grade}", number, "hits.csv")
        links = [(GRADE_NAMES[g], f"hits-{g}-1.html") for g in GRADE_ORDER if self._of_grade(g)[0]]
        for name, rows in pager.over(listings.hit_rows(self._store, grade, excluded=False)):
            values = {"pager": pager, "rows": rows, "grade_links": links, "first": f"hits-{grade}-1.html"}
            heading = TEXT["hits_title"].format(grade=GRADE_NAMES[grade])
            yield Page(name, "hits.html", values | {"heading": heading, "meaning": GRADE_MEANINGS[grade]})

    def _timeline(self) -> Iterator[Page]:
        listed, whole = count_events(self._store, relevant=True), count_events(self._store)
        lost = undatable(self._store)
        pager = _Pager("timeline", listed, "timeline.csv")
        scope = TEXT["timeline_scope"].format(count=f"{listed:,}", all=f"{whole:,}")
        for name, rows in pager.over(listings.timeline_rows(self._store, relevant=True)):
            for row in rows:
                row["statement"] = _statement(row)
                row["clock"] = TEXT[f"clock_{row['basis']}"].format(step=row["precision"])
            values = {"heading": TEXT["timeline_title"], "pager": pager, "rows": rows, "scope": scope}
            lost_text = TEXT["timeline_undatable"].format(count=f"{lost:,}") if lost else ""
            yield Page(name, "timeline.html", values | {"undatable": lost_text})

    def _notices(self) -> Iterator[Page]:
        pager = _Pager("notices", sum(self._totals.notices.values()), "notices.csv")
        for name, rows in pager.over(listings.notice_rows(self._store)):
            for row in rows:
                row["deleted"] = False
            yield Page(name, "notices.html", {"heading": TEXT["notices_title"], "pager": pager, "rows": rows})

    def _coverage(self) -> Page:
        volumes = [row | {"state": VOLUME_STATES.get(str(row["state"]), row["state"])} for row in self._volumes()]
        values = {
            "heading": TEXT["coverage_title"],
            "unread": self._totals.unread,
            "outcomes": [OUTCOME_NAMES[outcome] for outcome in Outcome],
            "plugins": [(one.plugin, [one.counts[outcome] for outcome in Outcome]) for one in self._totals.plugins],
            "volumes": volumes,
            "entries": [
                row._asdict()
                | {"type": ENTRY_TYPES.get(row.type, row.type), "state": TEXT["deleted" if row.deleted else "live"]}
                for row in self._totals.entries
            ],
            "kinds": list(self._totals.notices.items()),
        }
        return Page("coverage.html", "coverage.html", values)

    def _volumes(self) -> list[Row]:
        return list(listings.volume_rows(self._store))

    def _provenance(self) -> Page:
        manifest = self._manifest
        software = [(TEXT["suite"], " ".join(map(str, manifest.get("suite", {}).values())))]
        software += [*flat(manifest.get("platform", {})), *flat(manifest.get("libraries", {}))]
        custody = [
            {"number": e.number, "time": iso(e.at_ns, 1_000_000) + "Z", "operator": e.operator, "action": e.action}
            | {"detail": list(_custody_detail(e.detail)), "digest": e.digest}
            for e in self._store.custody.entries()
        ]
        values = {
            "heading": TEXT["provenance_title"],
            "head": self._store.custody.head(),
            "custody": custody,
            "software": software,
            "plugins": list(listings.plugin_rows(manifest)),
            "sets": manifest.get("hash sets", []),
            "inputs": [
                {"plugin": plugin, "path": path, "sha256": digest}
                for plugin, inputs in sorted(manifest.get("inputs", {}).items())
                for path, digest in sorted(inputs.items())
            ],
            "options": list(flat(manifest.get("options", {}))),
        }
        return Page("provenance.html", "provenance.html", values)


def _custody_detail(detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A custody entry's detail; digests of many written files are counted, ``custody.txt`` has them."""
    for name, value in detail.items():
        if name != "files" or not isinstance(value, dict):
            yield from flat(value, name)
        elif all(isinstance(state, list) and len(state) == 2 for state in value.values()):
            for path, (size, mtime) in value.items():
                yield path, TEXT["file_state"].format(size=f"{size:,}", time=iso(mtime) + "Z")
        else:
            yield TEXT["files"], TEXT["file_digests"].format(files=counted(len(value), "file", "files"))


def flat(value: Json, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested JSON as names with values.

    >>> list(flat({"a": {"b": 1}, "c": [True, None]}))
    [('a · b', '1'), ('c', 'yes, –')]
    """
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flat(part, f"{name} · {key}" if name else key)
    elif isinstance(value, list | tuple):
        yield name, ", ".join(text for part in value for _, text in flat(part))
    elif isinstance(value, bool):
        yield name, TEXT["yes" if value else "no"]
    else:
        yield name, "–" if value in (None, "") else str(value)


def _statement(row: Row) -> str:
    if row["source_type"] == "entry":
        return ""
    if row["part"]:
        return TEXT["record_in_part"].format(part=row["part"], summary=row["message"])
    return TEXT["record"].format(summary=row["message"])
