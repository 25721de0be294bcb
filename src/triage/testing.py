"""For authors of plugins: files in memory, a plugin run on one, and golden files to compare with.

file = plugin_file("/Users/a/AppData/Local/Google/Chrome/User Data/Default/History", content, {"History-wal": log})
assert run_plugin(ChromeHistory(), file)[0].url == "https://example.org/"
"""

import difflib
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from triage.case.rows import FileResult
from triage.engine.host import PluginHost
from triage.engine.hostfile import Subject
from triage.engine.match import PathMatcher, TypeMatcher
from triage.engine.profile import profile
from triage.engine.sniff import sniff
from triage.errors import SkipFile
from triage.evidence.database import open_database
from triage.evidence.entry import Entry, EntryFlag, EntryType
from triage.evidence.source import ByteSource, MemorySource
from triage.locator import Locator
from triage.plugin import File, Parser, Plugin, RecordScanner, Scanner, SqliteParser, Window, WindowScanner
from triage.records import Record, record_to_json

HEAD: Final = 65_536
WINDOW: Final = 16 << 20
UPDATE: Final = "TRIAGE_UPDATE_GOLDEN"
"""Environment variable that makes `check_golden` write instead of compare."""


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A `triage.plugin.File` whose content is in memory. Made by `plugin_file`."""

    locator: Locator
    content: bytes
    companions: Mapping[str, bytes] = field(default_factory=dict)
    deleted: bool = False
    carved: bool = False

    @property
    def path(self) -> str:
        """Full path."""
        return self.locator.path

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def type(self) -> str:
        """MIME type by content."""
        return sniff(self.head, self.size)

    @property
    def is_space(self) -> bool:
        """Whether it is no file: never."""
        return False

    @property
    def digests(self) -> Mapping[str, str]:
        """MD5, SHA-1 and SHA-256 of the content."""
        return {name: hashlib.new(name, self.content).hexdigest() for name in ("md5", "sha1", "sha256")}

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return self.content[:HEAD]

    def read(self, limit: int = 64 << 20) -> bytes:
        """The whole content, see `triage.plugin.File.read`."""
        if self.size > limit:
            raise SkipFile(f"{self.size:,} bytes are more than this plugin reads ({limit:,})")
        return self.content

    def open(self) -> BinaryIO:
        """A stream over the content."""
        return io.BytesIO(self.content)

    def companion(self, name: str) -> "MemoryFile | None":
        """A file beside this one, or `None`."""
        if name not in self.companions:
            return None
        folder = self.path.rpartition("/")[0]
        return plugin_file(f"{folder}/{name}", self.companions[name])


def plugin_file(path: str, content: bytes, companions: Mapping[str, bytes] | None = None) -> MemoryFile:
    """A file at ``path`` with ``content``; ``companions`` are files beside it, by name."""
    return MemoryFile(Locator("test", "p1", path), content, companions or {})


def accepts(plugin: Plugin, file: File) -> bool:
    """Whether the plugin's declared filter lets this file through to it."""
    return PathMatcher(plugin.paths)(file.path) and TypeMatcher(plugin.types)(file.type)


def run_plugin(plugin: Plugin, file: MemoryFile, window: int = WINDOW) -> list[Record]:
    """What the plugin yields for the file, in its order. Its filter is not asked, and what it raises is raised.

    ``window`` is the size in bytes of the pieces that a `WindowScanner` gets.
    """
    if isinstance(plugin, WindowScanner):
        return [record for piece in _windows(plugin, file, window) for record in plugin.scan(piece)]
    if isinstance(plugin, Scanner):
        return list(plugin.scan(file))
    if isinstance(plugin, RecordScanner):
        return []  # it looks at records, see `run_on_records`
    if isinstance(plugin, Parser):
        return list(plugin.parse(file))
    if isinstance(plugin, SqliteParser):
        return list(_rows(plugin, file))
    raise TypeError(f"{plugin.id} is no kind of plugin that is known here")


def run_on_records(plugin: RecordScanner, records: Iterable[Record]) -> list[Record]:
    """What the plugin yields for those of the records that it looks at, in their order."""
    return [made for record in records if isinstance(record, plugin.reads) for made in plugin.scan(record)]


def examine_file(plugin: Plugin, file: MemoryFile) -> FileResult:
    """What a scan would store of this file with this one plugin: outcome letter, records, notices, type and digests.

    The filter is asked, and whatever the plugin raises becomes an outcome and a notice, as in a real scan.
    """
    folder = file.path.rpartition("/")[0]
    beside = {name: _subject(plugin_file(f"{folder}/{name}", content)) for name, content in file.companions.items()}
    return PluginHost([plugin], profile("triage"), lambda _size, _step: None).examine(_subject(file), beside)


def _subject(file: MemoryFile) -> Subject:
    entry = Entry(file.path, EntryType.FILE, "1", file.size, _flags(file))
    return Subject(1, entry, lambda: file.locator, lambda: MemorySource(file.content))


def _flags(file: MemoryFile) -> int:
    return (int(EntryFlag.DELETED) if file.deleted else 0) | (int(EntryFlag.CARVED) if file.carved else 0)


def _windows(plugin: WindowScanner, file: MemoryFile, window: int) -> Iterator[Window]:
    for start in range(0, max(file.size, 1), window):
        begin = max(0, start - plugin.overlap)
        data = file.content[begin : start + window]
        yield Window(file, data, begin, start - begin, start + window >= file.size)


def _rows(plugin: SqliteParser, file: MemoryFile) -> Iterator[Record]:
    wal, journal = (_beside(file, suffix) for suffix in ("-wal", "-journal"))
    with open_database(MemorySource(file.content), wal, journal, file.locator) as database:
        for row in database.rows(plugin.query, plugin.table, plugin.row_id):
            record = plugin.record(row)
            if record is not None:
                yield record


def _beside(file: MemoryFile, suffix: str) -> ByteSource | None:
    content = file.companions.get(file.name + suffix)
    return None if content is None else MemorySource(content)


def golden_text(records: Iterable[Record]) -> str:
    """Records as JSON lines: the kind first, then the fields; the form of golden files."""
    return "".join(
        json.dumps({"kind": record.kind, **record_to_json(record)}, ensure_ascii=False) + "\n" for record in records
    )


def check_golden(path: Path, records: Iterable[Record]) -> None:
    """Compare records with the golden file ``path``; with the environment variable `UPDATE` set, write it instead.

    Raises:
        AssertionError: they differ, or there is no such file; shows the lines that do.
    """
    actual = golden_text(records)
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(actual, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if actual != expected or not path.exists():
        lines = difflib.unified_diff(
            expected.splitlines(), actual.splitlines(), str(path), "this run", lineterm="", n=0
        )
        raise AssertionError("\n".join(lines) or f"there is no golden file {path}")
