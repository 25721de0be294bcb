"""Category schemes: what a publisher's raw categories are called, and what is done with them.

The same number means different things in different schemes, so a scheme is always chosen and never guessed. Schemes are
data: those in ``rules/schemes``, and a unit's own files of the same form.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

ALERT: Final = "alert"
DISPOSITIONS: Final = ("illegal-candidate", ALERT, "relevant", "cgi", "comparison", "exclude")
"""What is done with a match, gravest first. ``alert`` is for what a scheme does not map: somebody has to look.
``illegal-candidate`` is a publisher's opinion and no finding; ``exclude`` alone reduces what has to be seen."""
JOINED: Final = " | "
"""Stands between the categories of a digest that a list holds more than once."""
_PACKAGE: Final = "triage_rules.schemes"
_SUFFIX: Final = ".toml"


@dataclass(frozen=True, slots=True)
class Category:
    """One category of a scheme."""

    raw: str
    title: str
    disposition: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """A publisher's categories.

    ``label`` names the scheme, ``source`` says where the facts are from; ``categories`` are by raw value in lower case.
    """

    id: str
    label: str
    source: str
    categories: Mapping[str, Category]

    def disposition(self, raw: str) -> str:
        """What is done with a match of this category; ``alert`` for one that is not mapped, or is missing.

        Of several categories joined with `JOINED` the gravest counts.
        """
        found = {each.disposition if each else ALERT for _, each in self._parts(raw)}
        return next(each for each in DISPOSITIONS if each in found)

    def title(self, raw: str) -> str:
        """What a category is called; the raw value itself where the scheme does not map it."""
        return JOINED.join(each.title if each else part for part, each in self._parts(raw))

    def _parts(self, raw: str) -> list[tuple[str, Category | None]]:
        return [(part.strip(), self.categories.get(part.strip().lower())) for part in raw.split(JOINED)]


def names() -> tuple[str, ...]:
    """Ids of the bundled schemes."""
    files = (each.name for each in resources.files(_PACKAGE).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


def load_scheme(scheme: str) -> Scheme:
    """A bundled scheme by its id, or a unit's own by the path of its file (``….toml``).

    Raises:
        ValueError: there is no such scheme, or the file is not one; says what is wrong with it.
    """
    if scheme in names():
        return _bundled(scheme)
    if not scheme.lower().endswith(_SUFFIX):
        raise ValueError(f"no scheme {scheme!r}; there are {', '.join(names())}, or a file of your own ({_SUFFIX})")
    try:
        return _parsed(Path(scheme).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"the scheme {scheme} cannot be used: {error}") from error


@cache
def _bundled(scheme: str) -> Scheme:
    return _parsed(resources.files(_PACKAGE).joinpath(scheme + _SUFFIX).read_text("utf-8"))


def _parsed(text: str) -> Scheme:
    stated = tomllib.loads(text)
    unknown = set(stated) - {"id", "title", "source", "categories"}
    if unknown:
        raise ValueError(f"unknown keys {', '.join(sorted(unknown))}")
    categories: dict[str, Category] = {}
    table = stated.get("categories")
    if not isinstance(table, dict):
        raise ValueError("no table [categories]")
    for raw, about in table.items():
        for each in _category(raw, about):
            if each.raw.lower() in categories:
                raise ValueError(f"category {each.raw!r} is there twice")
            categories[each.raw.lower()] = each
    return Scheme(_string(stated, "id"), _string(stated, "title"), _string(stated, "source"), categories)


def _category(raw: str, about: object) -> list[Category]:
    if not isinstance(about, dict) or set(about) - {"title", "disposition", "also"}:
        raise ValueError(f"category {raw!r} has keys other than title, disposition and also")
    title, disposition = _string(about, "title"), _string(about, "disposition")
    if disposition not in DISPOSITIONS:
        raise ValueError(f"category {raw!r}: disposition {disposition!r} is none of {', '.join(DISPOSITIONS)}")
    also = about.get("also", [])
    if not isinstance(also, list) or not all(isinstance(each, str) for each in also):
        raise ValueError(f"category {raw!r}: also is a list of texts")
    return [Category(each, title, disposition) for each in (raw, *also)]


def _string(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is missing or no text")
    return value
