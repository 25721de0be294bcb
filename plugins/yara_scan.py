"""YARA rules over the content of every file."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Protocol

import yara

from triage.api import File, Grade, Hit, SkipFile, Window, WindowScanner

SECONDS: Final = 60
STRINGS_NAMED: Final = 3
BYTES_SHOWN: Final = 48
HEAD: Final = 256 << 10
NAMES: Final = {"filename": "", "filepath": "", "extension": "", "filetype": ""}
"""External variables that rules may use: name, full path, extension with its dot in lower case, MIME type."""
SUFFIXES: Final = frozenset({".yar", ".yara"})


class Instance(Protocol):
    """Where a string was found; this and the next are the parts of yara-python's objects that are used here."""

    offset: int
    matched_data: bytes


class Found(Protocol):
    """A string of a rule that was found."""

    identifier: str
    instances: list[Instance]


class Match(Protocol):
    """A rule that matched."""

    rule: str
    namespace: str
    tags: list[str]
    meta: Mapping[str, object]
    strings: list[Found]


class Rules(Protocol):
    """Compiled rules."""

    def match(self, **options: object) -> list[Match]:
        """The rules that match."""


class Reach(NamedTuple):
    """What the rules of a file are applied to: heads of files or all content, and MIME types (none: all)."""

    head_only: bool
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """Rule files, or folders of ``*.yar`` and ``*.yara`` files, beside (or without) the bundled ones."""

    rules: tuple[Path, ...] = ()
    bundled: bool = True


class YaraRules(WindowScanner):
    """Content, names and paths that match a YARA rule.

    Does not cover conditions over more than one window (see ``rules/README.md``), rules with ``include``, and what is
    inside archives. A rule file whose rules all hold ``scope = "head"`` is applied to the first 256 KiB (in a file
    with other rules, such a rule counts in the first window), and one whose rules all hold the same ``types`` to
    these types.

    References: https://yara.readthedocs.io
    """

    id = "yara.scan"
    yields = (Hit,)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        sources = _bundled() if self.options.bundled else {}
        for path in self.options.rules:
            sources.update(_user_files(path))
        self._inputs = {name: hashlib.sha256(data).hexdigest() for name, data in sources.items()}
        self._texts = {name: _text(name, data) for name, data in sources.items()}
        self._reach = {name: _reach(name, text) for name, text in self._texts.items()}
        self._compiled: dict[tuple[str, ...], Rules] = {}
        self._together(tuple(self._texts))  # names that clash show before the scan

    def inputs(self) -> Mapping[str, str]:
        """The rule files with their digests."""
        return self._inputs

    def scan(self, window: Window) -> Iterator[Hit]:
        """One hit for each rule that matches in this window."""
        fitting = [name for name, reach in self._reach.items() if _fits(window.file.type, reach.types)]
        whole = tuple(name for name in fitting if not self._reach[name].head_only)
        if window.offset:
            passes = [(whole, window.data)]
        elif len(window.data) <= HEAD:
            # YARA's time goes with the bytes, not with the rules: once over all is half of twice.
            passes = [(tuple(fitting), window.data)]
        else:
            heads = tuple(name for name in fitting if self._reach[name].head_only)
            passes = [(heads, window.data[:HEAD]), (whole, window.data)]
        matches = [m for names, data in passes if names for m in _matches(self._together(names), window, data)]
        for match in sorted(matches, key=lambda match: (match.namespace, match.rule)):
            if window.offset == 0 or match.meta.get("scope") != "head":
                yield _hit(match, window)

    def _together(self, names: tuple[str, ...]) -> Rules:
        """The rules of these files as one set, so that content is gone through once for all of them."""
        if names not in self._compiled:
            self._compiled[names] = _compiled({name: self._texts[name] for name in names})
        return self._compiled[names]


@lru_cache(maxsize=4096)
def _fits(mime: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(mime, pattern) for pattern in patterns)


def _matches(rules: Rules, window: Window, data: bytes) -> list[Match]:
    try:
        return rules.match(
            data=data, externals=_externals(window.file), timeout=SECONDS, fast=True, warnings_callback=_go_on
        )
    except yara.TimeoutError as error:
        raise SkipFile(f"the rules took more than {SECONDS} s from offset {window.offset:,}") from error


def _hit(match: Match, window: Window) -> Hit:
    found = sorted((s.instances[0].offset, s.identifier, s.instances[0].matched_data) for s in match.strings)
    shown = [f"{name} at {window.offset + at:,}: {data[:BYTES_SHOWN]!r}" for at, name, data in found[:STRINGS_NAMED]]
    description = str(match.meta.get("description", "")).rstrip(".")
    return Hit(
        source=window.file.locator.at(window.offset + found[0][0]) if found else window.file.locator,
        grade=Grade.INDICATOR,
        name=match.rule,
        detail="; ".join([description, *shown] if description else shown) or "by name or path",
        tags=tuple(match.tags),
    )


def _externals(file: File) -> dict[str, str]:
    _, dot, extension = file.name.rpartition(".")
    return {"filename": file.name, "filepath": file.path, "extension": (dot + extension).lower(), "filetype": file.type}


def _compiled(sources: Mapping[str, str]) -> Rules:
    try:
        rules: Rules = yara.compile(sources=dict(sources), externals=NAMES, includes=False)
    except yara.SyntaxError as error:
        raise ValueError(f"the YARA rules do not compile together: {error}") from error
    return rules


def _reach(name: str, text: str) -> Reach:
    """What all rules of a file agree to look at: searching for their strings in anything else would be waste."""
    try:
        rules = yara.compile(source=text, externals=NAMES, includes=False)
    except yara.SyntaxError as error:
        raise ValueError(f"the YARA rules in {name} do not compile: {error}") from error
    metas = [rule.meta for rule in rules]
    stated = {str(meta.get("types", "")) for meta in metas}
    types = stated.pop().replace(",", " ").split() if len(stated) == 1 else []
    return Reach(all(meta.get("scope") == "head" for meta in metas), tuple(types))


def _bundled() -> dict[str, bytes]:
    files = sorted(resources.files("triage_rules.yara").iterdir(), key=lambda each: each.name)
    return {f"bundled:{each.name}": each.read_bytes() for each in files if each.name.endswith(".yar")}


def _user_files(path: Path) -> dict[str, bytes]:
    paths = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file()) if path.is_dir() else [path]
    if not paths:
        raise ValueError(f"there are no *.yar or *.yara files in {path}")
    try:
        return {str(each): each.read_bytes() for each in paths}
    except OSError as error:
        raise ValueError(f"the YARA rules {path} cannot be read: {error}") from error


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the YARA rules {name} are not UTF-8 text: {error}") from error


def _go_on(*_: object) -> int:
    return int(yara.CALLBACK_CONTINUE)
