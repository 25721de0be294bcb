"""The text that LVM2 keeps its metadata in: ``key = value`` and ``name { … }``, as a tree.

Reference: lvm2 source, ``libdm/libdm-config.c`` and lvm.conf(5) (the grammar is the same).
"""

import re
from collections.abc import Iterator
from typing import Final

Value = str | int | list["Value"]
Tree = dict[str, "Value | Tree"]

_TOKEN: Final = re.compile(
    r'\s+|\#[^\n]*|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?![\w.]))|(?P<name>[A-Za-z0-9_.+\-/]+)|(?P<sign>[={}\[\],])'
)
_MAX_DEPTH: Final = 16


class GrammarError(ValueError):
    """Text that does not follow the grammar; says where."""


def parse(text: str) -> Tree:
    """The tree of ``text``.

    >>> parse('vg { seqno = 3 tags = ["a", "b"] }')
    {'vg': {'seqno': 3, 'tags': ['a', 'b']}}

    Raises:
        GrammarError: it is not such text, or sections are nested deeper than 16.
    """
    tree, closed = _section(_tokens(text), 0)
    if closed:
        raise GrammarError("a section is closed that was not opened")
    return tree


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GrammarError(f"unexpected {text[at]!r} at {at}")
        at = match.end()
        if match.lastgroup is not None:
            yield match.lastgroup, match.group()


def _section(tokens: Iterator[tuple[str, str]], depth: int) -> tuple[Tree, bool]:
    if depth > _MAX_DEPTH:
        raise GrammarError(f"sections nested deeper than {_MAX_DEPTH}")
    tree: Tree = {}
    for kind, word in tokens:
        if (kind, word) == ("sign", "}"):
            return tree, True
        sign = next(tokens, ("", ""))
        if kind == "sign" or sign not in (("sign", "="), ("sign", "{")):
            raise GrammarError(f"{word!r} is followed by {sign[1]!r}")
        if sign[1] == "=":
            tree[word] = _value(tokens, next(tokens, ("", "")))
            continue
        inner, closed = _section(tokens, depth + 1)
        if not closed:
            raise GrammarError(f"section {word!r} does not end")
        tree[word] = inner
    return tree, False


def _value(tokens: Iterator[tuple[str, str]], first: tuple[str, str]) -> Value:
    kind, token = first
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    if kind == "number":
        return int(token)
    if first != ("sign", "["):
        raise GrammarError(f"unexpected {token!r} for a value")
    values: list[Value] = []
    for kind, token in tokens:
        if (kind, token) == ("sign", "]"):
            return values
        if (kind, token) == ("sign", "["):
            raise GrammarError("a list in a list")
        if (kind, token) != ("sign", ","):
            values.append(_value(tokens, (kind, token)))
    raise GrammarError("a list does not end")
