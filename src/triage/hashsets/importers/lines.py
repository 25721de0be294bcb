"""Lines: a digest alone, or with a name as ``md5sum``, BSD, OpenSSL and ThreatExchange's local files write them.

A line that only names an algorithm (X-Ways' text export, a table of one column) says what those behind it hold.

References: md5sum's and BSD's styles as The Sleuth Kit's ``tsk/hashdb/md5sum.cpp`` reads them; GNU coreutils' manual
for the escaped names; python-threatexchange's ``file_api.py`` for ``type value``.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator, Mapping
from typing import Final

from triage.hashsets.entry import DIGEST_BYTES, ListFacts, PlainEntries, SetEntry
from triage.hashsets.importers.digests import (
    AMBIGUOUS,
    BY_DIGITS,
    GENERIC,
    HEX64,
    Digest,
    algorithm_of,
    by_length,
    is_digest_like,
    plain,
    value_of,
)
from triage.hashsets.importers.sample import OpenedInBulk, Sample

COMMENT: Final = ("#", "%", "//", ";")
_GNU: Final = re.compile(r"\\?([0-9A-Fa-f]{32,128})[ \t]+[*?^]?\S.*")
_BSD: Final = re.compile(r"\\?([A-Za-z0-9/-]{3,11}) ?\(.*\) ?= ?([0-9A-Fa-f]{32,128})")
_TYPED: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]{2,30})[ \t]*[ \t:=][ \t]*([0-9A-Za-z+/=]{32,400})")
_ED2K: Final = re.compile(r"ed2k://\|file\|[^|]*\|(\d+)\|([0-9A-Fa-f]{32})\|.*", re.IGNORECASE)
_WITH_NAME: Final = BY_DIGITS | {HEX64: "sha256"}
"""A 64-digit value before a name is what sha256sum prints."""
_QUOTED: Final = 80


def is_digest_line(text: str) -> bool:
    """Whether a line is one of those that are read here."""
    return (
        is_digest_like(text)
        or any(pattern.fullmatch(text) for pattern in (_GNU, _ED2K))
        or bool((match := _BSD.fullmatch(text) or _TYPED.fullmatch(text)) and algorithm_of(match[1]))
    )


def open_lines(sample: Sample, hex64: str) -> OpenedInBulk:
    """Read a text of lines.

    Raises:
        ValueError: digests of 64 digits stand alone in it, and neither it nor ``hex64`` says what they are.
    """
    texts = [line.strip() for line in sample.head_lines()]
    heading = first = ""
    for text in texts:
        heading = _heading(text) or heading
        if len(text) == HEX64 and is_digest_like(text) and not heading and not hex64:
            raise ValueError(AMBIGUOUS)
        if is_digest_line(text):
            first = first or heading or "?"
    remarks = []
    if hex64 == "pdq" and any(match and len(match[1]) == HEX64 for match in map(_GNU.fullmatch, texts)):
        remarks.append("lines of 64 digits with a name are read as SHA-256, as sha256sum writes them")
    name = f"lines of {first} digests" if first in DIGEST_BYTES else "lines of digests"
    return ListFacts(name, remarks=tuple(remarks)), _entries(sample, hex64)


def _heading(text: str) -> str:
    """The algorithm that a line names and says nothing else, be it behind a comment mark."""
    return algorithm_of(text.lstrip("#%/; "))


def _entries(sample: Sample, hex64: str) -> Iterator[SetEntry | PlainEntries]:
    declared, before, end = "", 0, sample.line_end
    alone: dict[int, str] = BY_DIGITS | ({HEX64: hex64} if hex64 else {})
    named = _WITH_NAME
    for piece in sample.pieces():
        many = _plain_entries(piece, end, before + 1, alone)
        if many is not None:
            yield many
            before += piece.count(end)
            continue
        lines = piece.removesuffix(end).split(end)
        first, before = before + 1, before + len(lines)
        for number, line in enumerate(lines, first):
            text = line.strip()
            digits = len(text)
            algorithm = alone.get(digits)
            if algorithm is None:
                digits = text.find(b" ")
                algorithm = named.get(digits)
            if algorithm is not None:
                try:
                    yield SetEntry(f"line {number}", ((algorithm, unhexlify(text[:digits])),))
                    continue
                except ValueError:
                    # Not a plain one; it may be one of the others.
                    pass
            words = text.decode("utf-8", "backslashreplace")
            if heading := _heading(words[:_QUOTED]):
                # Counts until the next: a list may have a section for each algorithm.
                declared = heading
                alone = named = {2 * DIGEST_BYTES[declared]: declared}
                continue
            other = _other(words, f"line {number}", declared, hex64)
            if other is not None:
                yield other


def _plain_entries(piece: bytes, end: bytes, first: int, alone: Mapping[int, str]) -> PlainEntries | None:
    """All lines of a piece at once, where each is a digest of the same algorithm and ends in the same way."""
    if not piece.endswith(end):
        return None
    end = b"\r\n" if piece.endswith(b"\r\n") else end
    digits = piece.find(end)
    algorithm = alone.get(digits)
    lines, more = divmod(len(piece), digits + len(end))
    if algorithm is None or more:
        return None
    if any(piece[digits + at :: digits + len(end)] != end[at : at + 1] * lines for at in range(len(end))):
        return None
    try:
        values = unhexlify(piece.replace(end, b""))
    except ValueError:
        return None
    return PlainEntries(first, algorithm, values) if 2 * len(values) == digits * lines else None


def _other(text: str, where: str, declared: str, hex64: str) -> SetEntry | None:
    """A line that is not in one of the two plain styles; `None` if it says nothing."""
    if not text or text.startswith(COMMENT) or plain(text) in GENERIC:
        return None
    if link := _ED2K.fullmatch(text):
        return SetEntry(where, (("ed2k", unhexlify(link[2])),), size=int(link[1]) if len(link[1]) < 19 else None)
    try:
        return SetEntry(where, (_digest(text.rstrip(",;").rstrip(), declared, hex64),))
    except ValueError as error:
        return SetEntry(where, problems=(str(error),))


def _digest(text: str, declared: str, hex64: str) -> Digest:
    if match := _BSD.fullmatch(text) or _TYPED.fullmatch(text):
        algorithm = algorithm_of(match[1])
        if not algorithm:
            raise ValueError(f"no digest of a known algorithm: {text[:_QUOTED]!r}")
        return algorithm, value_of(match[2], algorithm)
    named = _GNU.fullmatch(text)
    if declared:
        return declared, value_of(named[1] if named else text, declared)
    if named:
        return by_length(named[1], "sha256")
    try:
        return by_length(text, hex64)
    except ValueError as error:
        if is_digest_like(text):
            raise
        raise ValueError(f"no digest: {text[:_QUOTED]!r}") from error
