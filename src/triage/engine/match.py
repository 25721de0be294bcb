"""Which files a plugin asks for: patterns over full paths, and over MIME types.

A path pattern is compared with the whole path, without regard to case and to a leading ``/``. ``*`` is any run of
characters within one part, ``?`` one character, ``[abc]`` and ``[!abc]`` a character of a set, ``{a,b}`` either text,
and a part ``**`` any number of parts, also none.
"""

import re
from collections.abc import Sequence
from typing import Final

MAX_ALTERNATIVES: Final = 1_000
"""How many plain patterns one pattern with ``{…}`` may stand for."""

_MAGIC: Final = re.compile(r"[*?\[]")
_BRACES: Final = re.compile(r"\{([^{}]*)\}")


class PathMatcher:
    """Whether a path fits at least one of ``patterns``; without patterns every path does.

    Most patterns end in a fixed name or extension, so one look-up of the path's last part rules out nearly everything.

    >>> chrome = PathMatcher(["**/{Chrome,Chromium}/**/History", "**/*.torrent"])
    >>> chrome("/Users/a/AppData/Local/Google/CHROME/User Data/Default/History")
    True
    >>> chrome("/Users/a/Firefox/History"), chrome("/x.Torrent")
    (False, True)

    Raises:
        ValueError: a pattern is malformed.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._everything = not patterns
        names: dict[str, list[str]] = {}
        extensions: dict[str, list[str]] = {}
        others: list[tuple[str, str]] = []
        for pattern in dict.fromkeys(plain for given in patterns for plain in _expand(given.lower())):
            path_expression = _path_expression(pattern)
            name = pattern.rpartition("/")[2]
            stem, dot, extension = name.rpartition(".")
            if not _MAGIC.search(name):
                names.setdefault(name, []).append(path_expression)
            elif stem == "*" and dot and not _MAGIC.search(extension):
                extensions.setdefault(extension, []).append(path_expression)
            else:
                others.append(("(?s:.*)" if name == "**" else _part_expression(name), path_expression))
        self._names = {name: _any_of(expressions) for name, expressions in names.items()}
        self._extensions = {extension: _any_of(expressions) for extension, expressions in extensions.items()}
        self._other_names = _any_of([name for name, _ in others]) if others else None
        self._others = _any_of([path for _, path in others]) if others else None

    def __call__(self, path: str) -> bool:
        """Whether ``path`` (``/`` between the parts) fits."""
        if self._everything:
            return True
        lower = path.lower().lstrip("/")
        name = lower.rpartition("/")[2]
        by_name = self._names.get(name)
        if by_name is not None and by_name.fullmatch(lower):
            return True
        _, dot, extension = name.rpartition(".")
        by_extension = self._extensions.get(extension) if dot else None
        if by_extension is not None and by_extension.fullmatch(lower):
            return True
        if self._other_names is None or self._others is None:
            return False
        return self._other_names.fullmatch(name) is not None and self._others.fullmatch(lower) is not None


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


def _any_of(expressions: list[str]) -> re.Pattern[str]:
    try:
        return re.compile("|".join(f"(?:{expression})" for expression in expressions))
    except re.error as error:
        raise ValueError(f"a path pattern is malformed: {error}") from error
