"""File formats of lists of known files, each as a stream of entries.

* VICS 1.x and 2.0 JSON (Project VIC, CAID, NSRL's CAID export), ``#Media`` and ``#Cases``: an OData document whose
  context names the version and the country profile. Read as a stream, for such sets are larger than memory.
* CSV, semicolon- or tab-separated values with a header that names the digest columns (NSRL RDS 2, HashKeeper, ICSE …).
* Lines: a digest alone, ``md5sum`` style (``digest  name``) and BSD style (``MD5 (name) = digest``).

Text is UTF-8 or UTF-16, with or without byte-order mark.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Final

import ijson

_HEAD: Final = 16_384
_LONGEST_LINE: Final = 1 << 20
_CONTEXT: Final = re.compile(
    r'"@?odata\.(?:context|metadata)"\s*:\s*"([^"]*ProjectVic/DataModels/[^"]*)"', re.IGNORECASE
)
_VERSION: Final = re.compile(r"DataModels/(\d+\.\d+)\.xml(?:/(\w+))?.*#(\w+)", re.IGNORECASE)
_BSD: Final = re.compile(r"(?:MD5|SHA-?1|SHA(?:2-)?-?256)\s*\(.*\)\s*=\s*([0-9A-Fa-f]{32,64})", re.IGNORECASE)
_GNU: Final = re.compile(r"\\?([0-9A-Fa-f]{32,64})(?:[ \t]+\*?\S.*)?")
_COMMENT: Final = ("#", "%", "//")
_DIGEST_COLUMNS: Final = frozenset({"md5", "md5hash", "hash", "hashvalue", "sha1", "sha1hash", "sha256", "sha256hash"})
_CATEGORY_COLUMNS: Final = ("category", "cat", "classification", "baseline")
_SIZE_COLUMNS: Final = ("size", "filesize", "mediasize")
_VICS_DIGESTS: Final = ("MD5", "SHA1", "SHA256")


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is to be read. ``scheme`` names whose categories it holds (empty: the file does not say)."""

    name: str
    scheme: str
    encoding: str
    delimiter: str = ""
    items: str = ""
    """Path of the media objects in a JSON document, in ijson's notation."""


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry of a list; ``where`` is its place for a person, ``problem`` why it is not usable."""

    where: str
    digests: tuple[str, ...] = ()
    category: str = ""
    size: int | None = None
    problem: str = ""


def detect(path: Path) -> Format:
    """Recognise the format by content.

    Raises:
        ValueError: it is none that is read here.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    encoding = _encoding(head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if "\0" in text:
        raise ValueError("a binary file, not a list of digests in text, CSV or VICS")
    if text.lstrip().startswith(("{", "[")):
        return _vics(text, encoding)
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith(_COMMENT)), "")
    for delimiter in (",", ";", "\t"):
        columns = [_plain(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
        if _DIGEST_COLUMNS & set(columns):
            scheme = "ICSE" if {"baseline", "victimidentified"} <= set(columns) else ""
            return Format("CSV", scheme, encoding, delimiter)
    return Format("lines of digests", "", encoding)


def entries(path: Path, found: Format) -> Iterator[ListEntry]:
    """All entries of a file in order.

    Raises:
        ValueError: the document breaks off or is malformed as a whole.
    """
    if found.items:
        yield from _vics_entries(path, found)
    elif found.delimiter:
        yield from _csv_entries(path, found)
    else:
        yield from _line_entries(path, found)


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _vics(text: str, encoding: str) -> Format:
    context = _CONTEXT.search(text)
    stated = _VERSION.search(context[1]) if context else None
    if stated is None:
        raise ValueError("a JSON document whose context names no Project VIC data model")
    if encoding == "utf-16":
        raise ValueError("a VICS document in UTF-16; convert it to UTF-8")
    version, profile, kind = stated[1], stated[2] or "", stated[3].lower()
    if kind not in {"media", "cases"}:
        raise ValueError(f"a VICS document of #{stated[3]}; only #Media and #Cases hold digests")
    items = "value.item" if kind == "media" else "value.item.Media.item"
    return Format(f"VICS {version} #{stated[3]}", f"VICS {version} {profile}".strip(), encoding, items=items)


def _vics_entries(path: Path, found: Format) -> Iterator[ListEntry]:
    with path.open("rb") as stream:
        if stream.read(3) != codecs.BOM_UTF8:
            stream.seek(0)
        try:
            for number, media in enumerate(ijson.items(stream, found.items), 1):
                yield _media(media, f"media {number}")
        except ijson.JSONError as error:
            raise ValueError(f"the JSON document is malformed or breaks off: {error}") from error


def _media(media: object, where: str) -> ListEntry:
    if not isinstance(media, Mapping):
        return ListEntry(where, problem="not an object")
    digests = [value for name in _VICS_DIGESTS if isinstance(value := media.get(name), str) and value.strip()]
    others = media.get("AlternativeHashes")
    for other in others if isinstance(others, list) else ():
        if isinstance(other, Mapping) and _plain(str(other.get("HashName"))) in {"sha1", "sha256"}:
            digests.append(str(other.get("HashValue")))
    if not digests:
        return ListEntry(where, problem="no digest")
    category = media.get("Category")
    return ListEntry(where, tuple(digests), "" if category is None else str(category), _size(media.get("MediaSize")))


def _csv_entries(path: Path, found: Format) -> Iterator[ListEntry]:
    with path.open(encoding=found.encoding, errors="replace", newline="") as stream:
        # Comments stand before the header only: later such a line may be the continuation of a quoted cell.
        lines = dropwhile(lambda line: not line.strip() or line.startswith(_COMMENT), stream)
        reader = csv.reader(lines, delimiter=found.delimiter)
        names = [_plain(name) for name in next(reader)]
        digest_columns = [at for at, name in enumerate(names) if name in _DIGEST_COLUMNS]
        category_column = next((names.index(name) for name in _CATEGORY_COLUMNS if name in names), -1)
        size_column = next((names.index(name) for name in _SIZE_COLUMNS if name in names), -1)
        try:
            for cells in reader:
                if not cells:
                    continue
                where = f"line {reader.line_num}"
                digests = tuple(cells[at].strip() for at in digest_columns if at < len(cells) and cells[at].strip())
                if not digests:
                    yield ListEntry(where, problem="no digest")
                    continue
                yield ListEntry(where, digests, _cell(cells, category_column), _size(_cell(cells, size_column)))
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error


def _cell(cells: list[str], at: int) -> str:
    """A cell of a row that may be shorter than the header."""
    return cells[at].strip() if 0 <= at < len(cells) else ""


def _line_entries(path: Path, found: Format) -> Iterator[ListEntry]:
    with path.open(encoding=found.encoding, errors="replace") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE), ""), 1):
            text = line.strip()
            if not text or text.startswith(_COMMENT):
                continue
            match = _GNU.fullmatch(text) or _BSD.fullmatch(text)
            where = f"line {number}"
            yield ListEntry(where, (match[1],)) if match else ListEntry(where, problem=f"no digest: {text[:80]!r}")


def _size(value: object) -> int | None:
    """Bytes, where stated as a number or as text of digits (VICS 1.2, NSRL)."""
    text = str(value).strip()
    # What does not fit a signed 64-bit number is no file's size.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
