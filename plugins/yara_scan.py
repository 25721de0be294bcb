"""YARA rules over the content of every file."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Protocol

import hyperscan
import yara

from triage.api import File, Grade, Hit, SkipFile, Window, WindowScanner

SECONDS: Final = 60
STRINGS_NAMED: Final = 3
BYTES_SHOWN: Final = 48
SCOPES: Final = {"start": 4 << 10, "head": 256 << 10}
"""Bytes of a file that the rules of a scope look at; rules without one look at all content."""
NAMES: Final = {"filename": "", "filepath": "", "extension": "", "filetype": ""}
"""External variables that rules may use: name, full path, extension with its dot in lower case, MIME type."""
NEEDS: Final = ("needs_name", "needs_path", "needs_start", "needs_text", "needs_wide")
"""What a rule may state that it cannot match without, see ``rules/README.md``."""
_NOTHING: Final[Set[bytes]] = frozenset()
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
    """What the rules of a file agree on: bytes from the start (`None`: all) and MIME types (none: all).

    ``gated`` says whether each of the rules states what it needs.
    """

    limit: int | None
    types: tuple[str, ...]
    gated: bool


class Gate:
    """What content must show before rules are run over it: that is far cheaper to see than the rules are to run.

    Made from the ``meta`` of the rules; it admits whatever satisfies any of what they need.
    """

    def __init__(self, metas: Sequence[Mapping[str, object]]) -> None:
        self.metas = metas
        needs = {need: sorted({str(meta[need]) for meta in metas if meta.get(need)}) for need in NEEDS}
        listed = {need: [part.strip() for each in needs[need] for part in each.split(",")] for need in NEEDS}
        names = _any(map(translate, listed["needs_name"]))
        parts = _any(map(re.escape, listed["needs_path"]))
        start = _any(needs["needs_start"]).encode()
        self._name = re.compile(names, re.IGNORECASE).match if names else _never
        self._path = re.compile(parts, re.IGNORECASE).search if parts else _never
        self._start = re.compile(start, re.DOTALL).match if start else _never
        self.texts = [each.encode() for each in listed["needs_text"]]
        self.texts += [each.encode("utf-16-le") for each in listed["needs_wide"]]

    def by_place(self, window: Window) -> bool:
        """Whether name, path or beginning are among what is needed."""
        file = window.file
        return bool(self._name(file.name) or self._start(window.data) or self._path(file.path))

    def by_text(self, found: Set[bytes]) -> bool:
        """Whether a text that is needed is among those found in the window."""
        return not found.isdisjoint(self.texts)


class Texts:
    """Looks for many texts in one pass over content, whatever their case: a tenth of what YARA takes for it."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts = sorted(set(texts))
        self._database = hyperscan.Database()
        if self._texts:
            flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
            self._database.compile(
                expressions=[b"".join(b"\\x%02x" % byte for byte in text) for text in self._texts],
                ids=list(range(len(self._texts))),
                elements=len(self._texts),
                flags=[flags] * len(self._texts),
            )

    def among(self, data: bytes) -> Set[bytes]:
        """Those that ``data`` holds."""
        if not self._texts or not data:
            return _NOTHING
        found: set[bytes] = set()
        self._database.scan(data, match_event_handler=lambda number, *_: found.add(self._texts[number]))
        return found


class Group(NamedTuple):
    """Rules that are run together, so that content is gone through once for all of them."""

    rules: Rules
    reach: Reach
    gate: Gate | None

    def sees(self, window: Window, place: bool, found: Set[bytes]) -> bool:
        """Whether the rules are run over this window, which holds the texts ``found``.

        ``place`` says that its name, path or beginning is one that some group needs.
        """
        reach, gate = self.reach, self.gate
        if window.offset and reach.limit is not None:
            return False
        return gate is None or (place and gate.by_place(window)) or gate.by_text(found)


class Fitting(NamedTuple):
    """The groups for a MIME type, one gate that stands before all that have one, and the texts that they need."""

    groups: Sequence[Group]
    gate: Gate
    texts: Texts


@dataclass(frozen=True, slots=True)
class Options:
    """Rule files, or folders of ``*.yar`` and ``*.yara`` files, beside (or without) the bundled ones."""

    rules: tuple[Path, ...] = ()
    bundled: bool = True


class YaraRules(WindowScanner):
    """Content, names and paths that match a YARA rule.

    Does not cover conditions over more than one window (see ``rules/README.md``) and rules with ``include``. Members of
    archives are files of their own. Rules are run over less than everything only where they state their own reach:
    how far into a file they look, and what a file must show before they can match.

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
        self._texts = tuple((name, _text(name, data)) for name, data in sources.items())
        if self.options.rules:
            _groups(self._texts)  # what is wrong with a user's rules is said before anything is read
        self._fitting = lru_cache(maxsize=1024)(self._of_type)  # content can state any type

    def inputs(self) -> Mapping[str, str]:
        """The rule files with their digests."""
        return self._inputs

    def scan(self, window: Window) -> Iterator[Hit]:
        """One hit for each rule that matches in this window."""
        fitting = self._fitting(window.file.type)
        place = fitting.gate.by_place(window)
        found = fitting.texts.among(window.data)
        matches: list[Match] = []
        for group in fitting.groups:
            if group.sees(window, place, found):
                matches += _matches(group.rules, window, window.data[: group.reach.limit])
        for match in sorted(matches, key=lambda match: (match.namespace, match.rule)):
            if window.offset == 0 or match.meta.get("scope") not in SCOPES:
                yield _hit(match, window)

    def _of_type(self, mime: str) -> Fitting:
        fitting = [
            group
            for group in _groups(self._texts)
            if not group.reach.types or any(fnmatchcase(mime, each) for each in group.reach.types)
        ]
        gate = Gate([meta for group in fitting if group.gate for meta in group.gate.metas])
        return Fitting(fitting, gate, Texts(gate.texts))


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


@lru_cache(maxsize=4)
def _groups(named: tuple[tuple[str, str], ...]) -> list[Group]:
    """The rule files (name and text), those together that have the same reach. Kept, as workers are made again."""
    texts = dict(named)
    metas = {name: _metas(name, text) for name, text in texts.items()}
    members: dict[Reach, list[str]] = {}
    for name in texts:
        members.setdefault(_reach(metas[name]), []).append(name)
    return [
        Group(
            _compiled({name: texts[name] for name in names}),
            reach,
            Gate([meta for name in names for meta in metas[name]]) if reach.gated else None,
        )
        for reach, names in members.items()
    ]


def _metas(name: str, text: str) -> list[Mapping[str, object]]:
    """The ``meta`` of each rule of a file."""
    try:
        rules = yara.compile(source=text, externals=NAMES, includes=False)
    except yara.SyntaxError as error:
        raise ValueError(f"the YARA rules in {name} do not compile: {error}") from error
    metas: list[Mapping[str, object]] = [rule.meta for rule in rules]
    for meta in metas:
        try:
            re.compile(str(meta.get("needs_start", "")).encode())
        except re.error as error:
            raise ValueError(f"needs_start = {meta['needs_start']!r} in {name} is not understood: {error}") from error
    return metas


def _reach(metas: Sequence[Mapping[str, object]]) -> Reach:
    """The widest of what the rules of a file state: they are run together or not at all."""
    scopes = [SCOPES.get(str(meta.get("scope"))) for meta in metas]
    limits = [limit for limit in scopes if limit is not None]
    stated = {str(meta.get("types", "")) for meta in metas}
    return Reach(
        max(limits, default=None) if len(limits) == len(scopes) else None,
        tuple(stated.pop().replace(",", " ").split()) if len(stated) == 1 else (),
        all(any(meta.get(need) for need in NEEDS) for meta in metas),
    )


def _any(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{each})" for each in patterns)


def _never(*_: object) -> None:
    return None


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
