"""The report loads nothing, runs nothing, escapes everything, and claims nothing that the data does not say."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from sample import HOSTILE_PATHS, LABEL, LONG_NAME, fill, planned

from triage.case import custody
from triage.case.rows import FileResult, Found
from triage.case.store import CaseStore
from triage.evidence.entry import EntryFlag
from triage.locator import Locator
from triage.notices import NoticeKind, notice
from triage.records import Grade, Hit
from triage.report import html, words
from triage.report.html import write_report

ALLOWED_TAGS = set(
    "html head meta title link body header nav p a main section h1 h2 ul li table thead tbody tr th td div span "
    "footer".split()
)
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case") / "case"
    with fill(folder) as store:
        return write_report(store, folder / "report").parent


def pages(report: Path) -> Iterator[tuple[str, Page]]:
    for path in sorted(report.glob("*.html")):
        yield path.name, Page(path)


def test_there_is_a_page_for_everything(report: Path) -> None:
    names = {path.name for path in report.iterdir()}

    assert names == {
        "index.html", "style.css", "timeline-1.html", "notices-1.html", "coverage.html", "provenance.html",
        *(f"hits-{grade.value}-1.html" for grade in Grade),
    }  # fmt: skip


def test_pages_hold_nothing_but_plain_elements_that_are_closed(report: Path) -> None:
    for _, page in pages(report):
        assert set(page.tags) <= ALLOWED_TAGS
        assert page.open == []


def test_nothing_is_loaded_from_elsewhere_and_every_link_leads_to_a_page(report: Path) -> None:
    for _, page in pages(report):
        for tag, name, value in page.attributes:
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "style", "action", "background", "data", "poster")
            if name == "href":
                assert value is not None
                assert (report / value).is_file(), (tag, value)
    sheet = (report / "style.css").read_text()
    assert not re.search(r"url\(|@import|https?:|//|expression|javascript", sheet)


def test_every_page_forbids_all_but_its_own_style_sheet(report: Path) -> None:
    for _, page in pages(report):
        assert ("meta", "content", POLICY) in page.attributes
        assert page.tags.index("meta") < page.tags.index("link")


def test_hostile_names_are_shown_as_what_they_are(report: Path) -> None:
    text = "".join(page.text for _, page in pages(report))
    raw = "".join(path.read_text("utf-8") for path in report.glob("*.html"))

    assert "/Users/a/<script>alert(1)</script>.jpg" in text
    assert "/Users/a/\\u202egpj.exe" in text
    assert "/Users/a/new\\nline\\x1b[31mred.jpg" in text
    assert "row 3: <img src=x onerror=alert(1)>" in text
    assert "https://example.org/?q=<b>" in text
    assert LONG_NAME not in text
    assert f"{len(HOSTILE_PATHS[-1]):,} characters" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", raw)


def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        with fill(tmp_path / name) as store:
            folder = write_report(store, tmp_path / name / "report").parent
            again = write_report(store, tmp_path / name / "again").parent
        made += [{path.name: path.read_bytes() for path in place.iterdir()} for place in (folder, again)]

    assert made[0] == made[1] == made[2] == made[3]


def verdict_of(folder: Path, *grades: Grade, disposition: str = "alert", doubt: bool = False) -> str:
    with CaseStore.create(folder) as store:
        number = store.begin_evidence(LABEL, "/e", "raw", 5, [], {}, {})
        store.add_entries(number, [planned("/a.jpg", 3)])
        store.finish_walk(number)
        (entry,) = store.pending()
        place = Locator(LABEL, "p2", "/a.jpg")
        hits = [
            Found("p", Hit(source=place, grade=grade, name="n", detail="d", disposition=disposition))
            for grade in grades
        ]
        store.add_results([FileResult(entry.id, "done", found=tuple(hits))])
        if doubt:
            store.add_notices([notice(NoticeKind.ENCRYPTED, place, "x", "y")])
        store.custody.append(custody.SCAN_FINISHED, {}, 1, "")
        return Page(write_report(store, folder / "report")).text


def test_only_an_exact_hit_is_worded_as_a_match(tmp_path: Path) -> None:
    exact = verdict_of(tmp_path / "a", Grade.EXACT, Grade.NEAR)
    near = verdict_of(tmp_path / "b", Grade.NEAR, Grade.INDICATOR)
    nothing = verdict_of(tmp_path / "c")

    assert words.TEXT["verdict_exact"] in exact
    assert words.TEXT["verdict_candidates"] in near
    assert words.TEXT["verdict_exact"] not in near
    assert words.TEXT["verdict_nothing"] in nothing
    for grade, name in words.GRADE_NAMES.items():
        assert ("match" in name) == (grade == "exact")
        assert ("candidate" in name) == (grade != "exact")


def test_hits_of_a_category_that_is_no_alert_do_not_colour_the_verdict_but_are_named(tmp_path: Path) -> None:
    text = verdict_of(tmp_path / "a", Grade.EXACT, disposition="benign")

    assert words.TEXT["verdict_nothing"] in text
    assert "Of these 1 exact hit of the disposition “benign”" in text


def test_what_was_not_examined_comes_before_what_was_found(report: Path) -> None:
    text = Page(report / "index.html").text

    assert text.index(words.TEXT["not_examined"]) < text.index(words.TEXT["found"])
    assert "Volume p3 (BitLocker), laptop.E01" in text
    assert "not reached: the scan has not finished" in text
    assert words.TEXT["verdict_incomplete"] in text


def test_nothing_found_is_never_said_without_saying_that_coverage_is_incomplete(tmp_path: Path) -> None:
    assert words.TEXT["verdict_incomplete"] in verdict_of(tmp_path / "a", doubt=True)
    assert words.TEXT["verdict_incomplete"] not in verdict_of(tmp_path / "b")
    assert words.TEXT["nothing_unexamined"] in verdict_of(tmp_path / "c")


def test_what_nobody_can_read_any_more_is_listed_but_does_not_make_coverage_incomplete(tmp_path: Path) -> None:
    with CaseStore.create(tmp_path / "case") as store:
        number = store.begin_evidence(LABEL, "/e", "raw", 5, [], {}, {})
        store.add_entries(
            number, [planned("/a", 3, 9_000, EntryFlag.DELETED | EntryFlag.NO_CONTENT), planned("/b", 4, 0)]
        )
        store.finish_walk(number)
        store.custody.append(custody.SCAN_FINISHED, {}, 1, "")
        text = Page(write_report(store, tmp_path / "report")).text

    assert "the file system no longer says where the content is" in text
    assert words.TEXT["verdict_incomplete"] not in text


def test_an_unfinished_scan_is_called_unfinished(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        store.custody.append(custody.SCAN_STARTED, {}, 9, "")
        text = Page(write_report(store, tmp_path / "report")).text

    assert words.TEXT["verdict_unfinished"] in text


def test_stored_and_computed_digests_that_differ_are_said_loudly(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        store.set_computed_digests(1, {"md5": "f" * 32})
        text = Page(write_report(store, tmp_path / "report")).text

    assert words.TEXT["differ"] in text


def test_long_listings_are_paged_and_cut_with_a_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "PAGE_ROWS", 7)
    monkeypatch.setattr(html, "MAX_ROWS", 21)
    with fill(tmp_path / "case") as store:
        folder = write_report(store, tmp_path / "report").parent
    listed = sorted(path.name for path in folder.glob("timeline-*.html"))

    assert listed == ["timeline-1.html", "timeline-2.html", "timeline-3.html"]
    first = Page(folder / listed[0])
    assert "The first 21 of 74 are listed here; `triage export` writes all to exports/timeline.csv." in first.text
    assert ("a", "href", "timeline-2.html") in first.attributes
    assert ("a", "href", "timeline-1.html") not in Page(folder / listed[2]).attributes[-20:]
    for _, page in pages(folder):
        assert page.tags.count("tr") >= 0


def test_texts_claim_nothing_about_persons() -> None:
    claims = re.compile(
        r"\b(user|suspect|owner|he|she|they) (did|has|had|viewed|watched|opened|downloaded|deleted|searched|visited"
        r"|sent|possess\w*|knew|took|created)\b|\b(viewed|watched|downloaded|possession|offender|perpetrator|guilty)\b"
        r"|child porn|kiddie",
        re.IGNORECASE,
    )
    tables = (words.TEXT, words.GRADE_NAMES, words.GRADE_MEANINGS, words.OUTCOME_NAMES, words.VOLUME_STATES)
    texts = [text for table in tables for text in table.values()]
    templates = [path.read_text("utf-8") for path in files("triage.report").joinpath("templates").iterdir()]

    assert [text for text in (*texts, *templates) if claims.search(text)] == []
    assert any("CSAM" in text for text in texts)


def test_templates_hold_no_words_of_their_own_and_every_word_is_used() -> None:
    folder = Path(html.__file__).parent
    templates = "".join(path.read_text("utf-8") for path in (folder / "templates").iterdir())
    code = "".join(path.read_text("utf-8") for path in folder.glob("*.py") if path.name != "words.py")
    plain = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", templates, flags=re.DOTALL)

    assert set(re.findall(r"\bw\.(\w+)", templates)) <= set(words.TEXT)
    assert set(re.findall(r"[A-Za-z]{2,}", plain)) <= {"u202e"}
    for name in words.TEXT:
        stem = re.sub(r"^(nav|clock)_.*", r"\1_", name)
        assert f"w.{name}" in templates or f'"{name}"' in code or (stem != name and stem in code), name
