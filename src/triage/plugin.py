"""The contract between the suite and a plugin: one class, class attributes, one method.

A plugin describes data; the host does the rest: it opens, copies, reads, times out, stores, sorts and writes.
Plugin modules import `triage.api` and nothing else of the suite.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Final, NamedTuple, Protocol

from triage.absent import Absent
from triage.errors import SkipFile as SkipFile
from triage.errors import UnsupportedSchema as UnsupportedSchema
from triage.hashsets.entry import DIGEST_BYTES
from triage.locator import Locator
from triage.records import Record

SPACE: Final = "application/x-unallocated-space"
"""`File.type` of a part of unallocated space."""


class File(Protocol):
    """One file (or stream) as a plugin sees it."""

    @property
    def locator(self) -> Locator:
        """Where it is; every record starts from here."""

    @property
    def path(self) -> str:
        """Full path in its file system, ``/`` between the parts."""

    @property
    def name(self) -> str:
        """Last part of the path."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def deleted(self) -> bool:
        """Whether the name is not allocated."""

    @property
    def carved(self) -> bool:
        """Whether no file system knows it: it was found by its structure, and where it ends is a matter of that."""

    @property
    def is_space(self) -> bool:
        """Whether it is no file, but a part of the space of a file system that belongs to none."""

    @property
    def type(self) -> str:
        """MIME type by content; ``application/octet-stream`` if nothing is recognised, ``inode/x-empty`` if empty."""

    @property
    def digests(self) -> Mapping[str, str]:
        """Lower-case hex digests of the whole content by algorithm; empty if the content could not be read whole."""

    @property
    def head(self) -> bytes:
        """The first bytes (up to 64 KiB), at no cost."""

    def read(self, limit: int = 64 << 20) -> bytes:
        """The whole content.

        Raises:
            SkipFile: it is larger than ``limit`` bytes.
        """

    def open(self) -> BinaryIO:
        """A seekable stream over the content, for reading."""

    def companion(self, name: str) -> "File | None":
        """A file beside this one, which the plugin has announced in `Parser.companions`."""


class Window(NamedTuple):
    """A piece of a file during its single read.

    ``data`` starts at byte ``offset`` of the file. Its first ``overlap`` bytes were also the end of the window
    before, so that nothing is missed that lies across a border; the host drops what is found twice. ``last`` marks
    the file's end.
    """

    file: File
    data: bytes
    offset: int
    overlap: int
    last: bool


class Row(Protocol):
    """A row of a database with its own address."""

    @property
    def locator(self) -> Locator:
        """Where the row is, ``part`` naming the table and ``wal`` where it exists only in the write-ahead log."""

    def __getitem__(self, column: str) -> Any:
        """Value of a column as SQLite stores it."""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """Options of a plugin that has none."""


class Plugin(ABC):
    """Base of all plugins. Constructed once per process with its options, then asked file by file.

    ``id`` is dotted and lower case; the file is named after it, with ``_`` for ``.``. ``yields`` lists the record
    types. ``types`` (MIME types; ``image/*`` works) and ``paths`` (patterns over the full path, case-insensitive,
    ``**`` for any depth, as `triage.engine.match` documents) select files; a file must satisfy each that is given;
    neither given means every file. ``after`` names plugins that must have run before on the same file.
    """

    id: ClassVar[str]
    yields: ClassVar[tuple[type[Record], ...]]
    paths: ClassVar[tuple[str, ...]] = ()
    types: ClassVar[tuple[str, ...]] = ()
    after: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[Any]] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    def idle(self) -> str:
        """Why there is nothing for this plugin to do with its options, in words; empty (the default) if it runs.

        One that is idle is left out of the scan, and the case says so.
        """
        return ""

    def inputs(self) -> Mapping[str, str]:
        """Files that the results depend on (rule files, hash sets), path → SHA-256, for the manifest."""
        return {}

    def remarks(self) -> Sequence[str]:
        """What an examiner should know about those inputs (rows of a list that were refused); stored as notices."""
        return ()


class Scanner(Plugin):
    """Looks at each file once it has been read: digests, type and head are known.

    One that ``searches_space`` is also shown unallocated space where that is carved, in parts of up to 1 GiB. These are
    no files: they have no digests, and their type is `SPACE`.
    """

    searches_space: ClassVar[bool] = False

    @abstractmethod
    def scan(self, file: File) -> Iterable[Record]:
        """What is found about this file."""


class WindowScanner(Plugin):
    """Looks at all content while it is read, in overlapping windows; nothing is skipped by size."""

    overlap: ClassVar[int] = 65_536

    @abstractmethod
    def scan(self, window: Window) -> Iterable[Record]:
        """What is found in this window; locators carry the offset in the file."""


class Parser(Plugin):
    """Reads facts out of files of one kind. ``companions`` names files needed beside it, ``{name}`` being its own."""

    companions: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def parse(self, file: File) -> Iterator[Record]:
        """The facts in this file."""


class SqliteParser(Plugin):
    """Reads rows of a SQLite database. The host owns the private copy, the write-ahead log, the loop and bad rows.

    ``query`` is one SELECT with ordered rows and named columns; ``table`` names the table that ``row_id`` (a column
    of the query, default ``rowid``) belongs to. For an application whose tables have changed, ``query`` is several,
    newest schema first: the first is asked whose tables and columns are all there. Where rows come from several tables,
    a column ``row_table`` of the query names the one of each row.
    """

    query: ClassVar[str | tuple[str, ...]]
    table: ClassVar[str]
    row_id: ClassVar[str] = "rowid"
    companions: ClassVar[tuple[str, ...]] = ("{name}-wal", "{name}-journal")

    @abstractmethod
    def record(self, row: Row) -> Record | None:
        """The fact in this row, or `None` if it holds none. What it raises costs this row only."""


class RecordScanner(Plugin):
    """Looks at the facts that other plugins have found in a file. Runs after all of them, where there are such facts.

    ``reads`` lists the record types that it looks at. Files are not shown to it.
    """

    reads: ClassVar[tuple[type[Record], ...]]

    @abstractmethod
    def scan(self, record: Record) -> Iterable[Record]:
        """What follows from this fact; what is found stands at the fact's own place."""


def text(value: object) -> str | Absent:
    """A database value as text: NULL is `Absent.NOT_RECORDED`, anything but text is `Absent.UNPARSABLE`."""
    if value is None:
        return Absent.NOT_RECORDED
    return value if isinstance(value, str) else Absent.UNPARSABLE


def number(value: object) -> int | Absent:
    """A database value as a whole number: NULL is `Absent.NOT_RECORDED`, anything else `Absent.UNPARSABLE`."""
    if value is None:
        return Absent.NOT_RECORDED
    return value if isinstance(value, int) and not isinstance(value, bool) else Absent.UNPARSABLE


def hex_digest(value: object, algorithm: str) -> str:
    """A digest that a database stores as hex text, in lower case; ``algorithm`` is one of `DIGEST_BYTES`.

    Raises:
        ValueError: it is none; says what it is.
    """
    try:
        digest = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError as error:
        raise ValueError(f"{value!r:.80} is not hex") from error
    if len(digest) != DIGEST_BYTES[algorithm]:
        raise ValueError(f"{value!r:.80} is no {algorithm} digest")
    return digest.hex()
