"""The host turns whatever a plugin does into records, an outcome and, where there is doubt, a notice."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from triage.absent import Absent
from triage.case.rows import FileResult
from triage.engine.host import PluginHost
from triage.engine.hostfile import Subject
from triage.engine.profile import Profile
from triage.engine.tasks import Barred
from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Entry, Extent, ExtentSource
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.locator import Locator
from triage.notices import NoticeKind
from triage.plugin import File, Parser, Plugin, Scanner, SkipFile, UnsupportedSchema, Window, WindowScanner
from triage.records import Grade, Hit, RecycledFile

SMALL = Profile("test", window=1000)


def hit(locator: Locator, name: str) -> Hit:
    return Hit(source=locator, grade=Grade.INDICATOR, name=name, detail="")


class Finds(WindowScanner):
    """Finds a word."""

    id = "test.finds"
    yields = (Hit,)
    overlap: ClassVar[int] = 8

    def scan(self, window: Window) -> Iterable[Hit]:
        at = window.data.find(b"needle")
        if at >= 0:
            yield hit(window.file.locator.at(window.offset + at), "needle")


class Named(Scanner):
    """Says the digest."""

    id = "test.digest"
    yields = (Hit,)

    def scan(self, file: File) -> Iterable[Hit]:
        yield hit(file.locator, file.digests["md5"])


def examine(plugins: list[Plugin], data: bytes, source: ByteSource | None = None, path: str = "/a.txt") -> FileResult:
    steps: list[tuple[int, str]] = []
    host = PluginHost(plugins, SMALL, lambda size, step: steps.append((size, step)))
    entry = Entry(path, "r", "5", len(data))
    subject = Subject(1, entry, lambda: Locator("disk", "p1", path, "5"), lambda: source or MemorySource(data))
    return host.examine(subject, {})


def test_a_string_across_a_window_border_is_found_once_with_its_place_in_the_file() -> None:
    result = examine([Finds()], b"x" * 997 + b"needle" + b"y" * 2000)

    assert result.outcomes == "F"
    assert [found.record.source.offset for found in result.found] == [997]


def test_a_string_at_the_very_end_of_a_long_file_is_found() -> None:
    result = examine([Finds()], b"x" * 9994 + b"needle")

    assert [found.record.source.offset for found in result.found] == [9994]


def test_digests_are_known_to_scanners_after_the_read() -> None:
    result = examine([Named()], b"abc")

    assert [found.record.name for found in result.found if isinstance(found.record, Hit)] == [
        "900150983cd24fb0d6963f7d28e17f72"
    ]


class Broken(ByteSource):
    """A file with one bad sector."""

    size = 5000

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 512:
            raise UnreadableBytes("bad sector", 0, 512)
        return b"needle"[:1] * min(length, self.size - offset)


def test_a_file_that_cannot_be_read_whole_never_looks_scanned_and_clean() -> None:
    result = examine([Finds(), Named()], b"x" * 5000, Broken())

    assert (result.status, result.outcomes, result.digests) == ("failed", "XR", {})
    assert [n.kind for n in result.notices] == [NoticeKind.UNREADABLE]
    assert "512 of 5,000 bytes" in result.notices[0].message


class Unopenable(ByteSource):
    """Content that cannot be reached at all."""

    size = 10

    def read_at(self, offset: int, length: int) -> bytes:
        raise AssertionError


def test_content_that_cannot_be_opened_is_a_notice_and_nothing_ran() -> None:
    def refuse() -> ByteSource:
        raise EvidenceError("no such inode")

    host = PluginHost([Finds(), Named()], SMALL, lambda size, step: None)
    result = host.examine(Subject(1, Entry("/a", "r", "5", 10), lambda: Locator("disk"), refuse), {})

    assert result.outcomes == "RR"
    assert "no such inode" in result.notices[0].message


def raising(error: Exception, before: int) -> Parser:
    class Raises(Parser):
        """Raises."""

        id = "test.raises"
        yields = (RecycledFile,)

        def parse(self, file: File) -> Iterator[RecycledFile]:
            for n in range(before):
                yield RecycledFile(
                    source=file.locator.at_row("t", n), original_path="x", content_path="", size=n,
                    deleted=Absent.NOT_RECORDED, owner=Absent.NOT_RECORDED,
                )  # fmt: skip
            raise error

    return Raises()


def test_each_way_of_giving_up_has_its_outcome_and_keeps_what_was_found() -> None:
    cases = [
        (SkipFile("too large"), "S", NoticeKind.LIMIT),
        (UnsupportedSchema("version 99"), "X", NoticeKind.UNSUPPORTED),
        (EvidenceError("bad block"), "X", NoticeKind.UNREADABLE),
        (ZeroDivisionError("oops"), "X", NoticeKind.FAILED),
        (RecursionError("deep"), "X", NoticeKind.FAILED),
    ]
    for error, outcome, kind in cases:
        result = examine([raising(error, 2), Finds()], b"needle")

        assert result.outcomes == outcome + "F"
        assert [n.kind for n in result.notices] == [kind]
        assert str(error) in result.notices[0].message
        assert result.notices[0].origin == "test.raises"
        assert len(result.found) == 3


def test_a_plugin_that_brought_a_worker_down_is_left_out_and_named() -> None:
    host = PluginHost([Finds(), Named()], SMALL, lambda size, step: None)
    subject = Subject(1, Entry("/a", "r", "5", 6), lambda: Locator("disk"), lambda: MemorySource(b"needle"))
    result = host.examine(subject, {}, [Barred(1, "test.digest", NoticeKind.CRASHED, "it died here, twice")])

    assert result.outcomes == "FX"
    assert [(n.kind, n.origin) for n in result.notices] == [(NoticeKind.CRASHED, "test.digest")]


def test_filters_leave_a_trace_too() -> None:
    class OnlyJpeg(Scanner):
        """For pictures."""

        id = "test.jpeg"
        yields = (Hit,)
        types = ("image/jpeg",)
        paths = ("**/*.jpg",)

        def scan(self, file: File) -> Iterable[Hit]:
            yield hit(file.locator, "seen")

    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(64)
    assert examine([OnlyJpeg()], b"text").outcomes == "-"
    assert examine([OnlyJpeg()], jpeg, path="/a/b.JPG").outcomes == "F"
    assert examine([OnlyJpeg()], jpeg, path="/a/b.txt").outcomes == "-"
    assert examine([OnlyJpeg()], b"text", path="/a/b.jpg").outcomes == "-"


def test_of_a_giant_of_holes_only_what_is_stored_is_read_and_that_is_said() -> None:
    media = b"....needle" + b"abc needle"
    extents = (Extent(0, 10), Extent(HOLE, 1 << 50), Extent(10, 10))
    entry = Entry("/giant", "r", "5", (1 << 50) + 20, extents=extents)
    locator = Locator("disk", "p1", "/giant", "5")
    subject = Subject(1, entry, lambda: locator, lambda: ExtentSource(MemorySource(media), extents))
    host = PluginHost([Finds(), Named()], SMALL, lambda size, step: None)
    result = host.examine(subject, {})

    assert result.outcomes == "FR"
    assert [found.record.source.offset for found in result.found] == [4]
    assert result.digests == {}
    assert [n.kind for n in result.notices] == [NoticeKind.LIMIT]
    assert "1,125,899,906,842,624 bytes of this sparse file are holes" in result.notices[0].message
