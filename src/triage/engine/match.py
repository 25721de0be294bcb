"""Which files a plugin asks for: patterns over full paths, and over MIME types.

A path pattern is compared with the whole path, without regard to case and to a leading ``/``. ``*`` is any run of
characters within one part, ``?`` one character, ``[abc]`` and ``[!abc]`` a character of a set, ``{a,b}`` either text,
and a part ``**`` any number of parts, also none.
"""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Final

MAX_ALTERNATIVES: Final = 1_000
"""How many plain patterns one pattern with ``{…}`` may stand for."""

_MAGIC: Final = re.compile(r"[*?\[]")
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_NOWHERE: Final[frozenset[int]] = frozenset()
_NO_LISTS: Final[tuple[tuple[int, re.Pattern[str]], ...]] = ()


class PathTable:
    """Which of several lists of ``patterns`` a path fits, by their places. An empty list fits nothing.

    Most patterns end in a fixed name or extension, so one look-up of the path's last part rules out nearly everything,
    however many lists there are.

    >>> table = PathTable([["**/{Chrome,Chromium}/**/History"], ["**/*.torrent"], ["**/history"]])
    >>> sorted(table("/Users/a/AppData/Local/Google/CHROME/User Data/Default/History")), table("/x.Torrent")
    ([0, 2], {1})

    Raises:
        ValueError: a pattern is malformed.
    """

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        names: dict[str, dict[int, list[str]]] = {}
        extensions: dict[str, dict[int, list[str]]] = {}
        other_names: list[str] = []
        others: dict[int, list[str]] = {}
        for number, patterns in enumerate(lists):
            for pattern in dict.fromkeys(plain for given in patterns for plain in _expand(given.lower())):
                path_expression = _path_expression(pattern)
                name = pattern.rpartition("/")[2]
                stem, dot, extension = name.rpartition(".")
                if not _MAGIC.search(name):
                    names.setdefault(name, {}).setdefault(number, []).append(path_expression)
                elif stem == "*" and dot and not _MAGIC.search(extension):
                    extensions.setdefault(extension, {}).setdefault(number, []).append(path_expression)
                else:
                    other_names.append("(?s:.*)" if name == "**" else _part_expression(name))
                    others.setdefault(number, []).append(path_expression)
        self._names = {name: _each(wanted) for name, wanted in names.items()}
        self._extensions = {extension: _each(wanted) for extension, wanted in extensions.items()}
        self._other_names = _any_of(other_names).fullmatch if others else None
        self._others = _each(others)

    def __call__(self, path: str) -> Set[int]:
        """The places of the lists that ``path`` (``/`` between the parts) fits."""
        lower = path.lower()
        name = lower.rpartition("/")[2]
        extension = name.rpartition(".")
        candidates = self._names.get(name, _NO_LISTS)
        if extension[1] and extension[2] in self._extensions:
            candidates += self._extensions[extension[2]]
        if self._other_names is not None and self._other_names(name) is not None:
            candidates += self._others
        if not candidates:
            return _NOWHERE
        lower = lower.lstrip("/")
        return {number for number, wanted in candidates if wanted.fullmatch(lower)}


class PathMatcher:
    """Whether a path fits at least one of ``patterns``; without patterns every path does. Errors as `PathTable`.

    >>> torrents = PathMatcher(["**/*.torrent"])
    >>> torrents("/x.Torrent"), torrents("/torrent/x")
    (True, False)
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._everything = not patterns
        self._table = PathTable([patterns])

    def __call__(self, path: str) -> bool:
        """Whether ``path`` (``/`` between the parts) fits."""
        return self._everything or bool(self._table(path))


class TypeMatcher:
    """Whether a MIME type is one of ``types``, of which ``image/*`` stands for all images; without types every type is.

    >>> pictures = TypeMatcher(["image/*", "application/pdf"])
    >>> pictures("image/jpeg"), pictures("application/pdf"), pictures("text/plain")
    (True, True, False)
    """

    def __init__(self, types: Sequence[str]) -> None:
        self._everything = not types or "*/*" in types
        self._exact = frozenset(kind.lower() for kind in types)
        self._groups = tuple(kind.lower()[:-1] for kind in types if kind.endswith("/*"))

    def __call__(self, mime_type: str) -> bool:
        """Whether ``mime_type`` (lower case, without parameters) fits."""
        return self._everything or mime_type in self._exact or mime_type.startswith(self._groups)


def _expand(pattern: str) -> list[str]:
    """All patterns without braces that ``pattern`` stands for.

    >>> _expand("{a,b}/c{1,}")
    ['a/c1', 'a/c', 'b/c1', 'b/c']
    """
    pending = [pattern]
    plain: list[str] = []
    while pending:
        if len(pending) + len(plain) > MAX_ALTERNATIVES:
            raise ValueError(f"the path pattern {pattern!r} stands for more than {MAX_ALTERNATIVES} patterns")
        current = pending.pop(0)
        group = _BRACES.search(current)
        if group is None:
            plain.append(current)
            continue
        before, after = current[: group.start()], current[group.end() :]
        pending[:0] = [before + choice + after for choice in group[1].split(",")]
    if any("{" in each or "}" in each for each in plain):
        raise ValueError(f"unbalanced braces in the path pattern {pattern!r}")
    return plain


def _path_expression(pattern: str) -> str:
    parts = pattern.lstrip("/").split("/")
    if "" in parts:
        raise ValueError(f"an empty part in the path pattern {pattern!r}")
    expression = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part != "**":
            expression += _part_expression(part) + ("" if last else "/")
        elif last:
            expression += "(?s:.+)"
        elif parts[number + 1] != "**":  # a run of them means the same as one
            expression += "(?:(?s:.*)/)?"
    return expression


def _part_expression(part: str) -> str:
    if "**" in part:
        raise ValueError(f"** must stand alone between two slashes, not as in {part!r}")
    expression, at = "", 0
    while at < len(part):
        character = part[at]
        close = part.find("]", at + 2) if character == "[" else -1
        if close > 0:
            members = part[at + 1 : close]
            negated = members.startswith("!")
            escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members.removeprefix("!"))
            expression += f"(?!/)[{'^' if negated else ''}{escaped}]"
            at = close + 1
            continue
        expression += {"*": "[^/]*", "?": "[^/]"}.get(character) or re.escape(character)
        at += 1
    return expression


def _each(wanted: Mapping[int, list[str]]) -> tuple[tuple[int, re.Pattern[str]], ...]:
    return tuple((number, _any_of(expressions)) for number, expressions in wanted.items())


def _any_of(expressions: list[str]) -> re.Pattern[str]:
    try:
        return re.compile("|".join(f"(?:{expression})" for expression in expressions))
    except re.error as error:
        raise ValueError(f"a path pattern is malformed: {error}") from error
