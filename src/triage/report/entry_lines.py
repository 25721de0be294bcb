"""Entries of a file system as JSON lines and CSV, without a `Row` of `triage.report.listings.entry_row` between.

The lines say what the row says. A disk has millions of entries, but few different flags, modes and minutes, so the
texts of these are kept.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from json.encoder import encode_basestring
from typing import Final, Generic, TypeVar

from triage.evidence.entry import Entry, EntryFlag, EntryTimes
from triage.report.bodyfile import mode_letters
from triage.report.listings import FIELDS, flag_names, stamp
from triage.report.text import json_safe
from triage.report.writing import csv_text, json_text
from triage.times import Clock

_K = TypeVar("_K", bound=Hashable)
_KEPT: Final = 8192
_NO_TIMES: Final = EntryTimes()
_DELETED: Final = int(EntryFlag.DELETED)
_FIELDS: Final = FIELDS["entries"]
_BASIS: Final = _FIELDS.index("basis") - 2
_FROM_CONTENT: Final = ("mime", "md5", "sha1", "sha256")
"""The last fields, empty where no content has been read."""


class _Kept(dict[_K, str], Generic[_K]):
    """Texts that are made when they are first asked for, and all forgotten when they become too many."""

    def __init__(self, make: Callable[[_K], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: _K) -> str:
        if len(self) >= _KEPT:
            self.clear()
        text = self[key] = self._make(key)
        return text


class _Cells:
    """What differs from entry to entry of a file system, ready to be put between separators.

    ``text`` makes a cell of text, ``value`` of anything else.
    """

    def __init__(self, clock: Clock, text: Callable[[str], str], value: Callable[[bool | list[str]], str]) -> None:
        self._text = text
        self._empty = text("")
        self._types = _Kept(text)
        self._deleted = _Kept[int](lambda flags: value(bool(flags)))
        self._flags = _Kept[int](lambda flags: value(flag_names(flags)))
        self._modes = _Kept[tuple[str, str, int]](lambda key: text(mode_letters(*key)))
        by_step = {step: _Kept(partial(self._stamp, step, clock.basis)) for step in clock.steps()}
        self._modified, self._accessed, self._changed, self._created = (by_step[step] for step in clock.steps())

    def _stamp(self, step: int, basis: str, ns: int | None) -> str:
        return self._text(stamp(ns, step, basis))

    def of(self, entry: Entry) -> tuple[str | int, ...]:
        """The cells of ``entry``, in the order of the listing's fields."""
        text, flags = self._text, entry.flags
        modified, accessed, changed, created = entry.times
        named, named_accessed, named_changed, named_created = entry.name_times or _NO_TIMES
        return (
            text(entry.path),
            text(entry.stream) if entry.stream else self._empty,
            self._types[entry.type],
            text(entry.address),
            entry.size,
            self._deleted[flags & _DELETED],
            self._flags[flags],
            self._modified[modified],
            self._accessed[accessed],
            self._changed[changed],
            self._created[created],
            self._modified[named],
            self._accessed[named_accessed],
            self._changed[named_changed],
            self._created[named_created],
            self._modes[entry.name_type, entry.type, entry.mode],
            entry.uid,
            entry.gid,
            text(entry.link_target) if entry.link_target else self._empty,
        )


def json_lines(label: str, volume: str, clock: Clock, entries: Iterable[Entry]) -> Iterator[str]:
    """``entries`` of one file system as JSON objects, each with its line end; ``clock`` is that of the file system."""
    same = {"evidence": label, "volume": volume, "basis": clock.basis} | dict.fromkeys(_FROM_CONTENT, "")
    members = (
        f'"{name}":' + (encode_basestring(same[name]).replace("%", "%%") if name in same else "%s") for name in _FIELDS
    )
    template = "{" + ",".join(members) + "}"
    cells = _Cells(clock, encode_basestring, json_text).of
    for entry in entries:
        yield json_safe(template % cells(entry)) + "\n"


def csv_rows(label: str, volume: str, clock: Clock, entries: Iterable[Entry]) -> Iterator[tuple[str | int, ...]]:
    """The same as cells for `csv.writer`, in the order of the listing's fields."""
    before = (csv_text(label), csv_text(volume))
    after = ("",) * len(_FROM_CONTENT)
    cells = _Cells(clock, csv_text, csv_text).of
    for entry in entries:
        made = cells(entry)
        yield (*before, *made[:_BASIS], clock.basis, *made[_BASIS:], *after)
