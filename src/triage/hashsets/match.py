"""What a set says of a digest that it holds."""

import mmap
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from triage.hashsets.index_format import Role, SetFacts
from triage.hashsets.labels import Label, decode_labels
from triage.hashsets.schemes import JOINED

Data: TypeAlias = "mmap.mmap | bytes"
"""A set, mapped or in memory."""


class HashMatch(NamedTuple):
    """A digest that is in a set.

    ``name`` is the set's. ``categories`` are the publisher's raw values in ``scheme``, several where its lists hold the
    digest more than once, none where they give none. ``listed_size`` is the size in bytes that the list states.
    ``disposition`` is one of `triage.hashsets.schemes.DISPOSITIONS`: ``exclude`` for a set of that role, else what the
    scheme that was chosen for the set makes of the categories, ``alert`` where none was chosen.
    """

    name: str
    role: Role
    algorithm: str
    digest: str
    scheme: str
    categories: tuple[str, ...]
    listed_size: int | None
    disposition: str

    @property
    def category(self) -> str:
        """The categories in one text."""
        return JOINED.join(self.categories)


class Says:
    """What all matches of a set have in common, and what its labels say; ``path`` is named where they are damaged."""

    def __init__(self, data: Data, facts: SetFacts, path: Path) -> None:
        self.name = facts.name
        self.role = Role(facts.role)
        self.scheme = facts.scheme
        self._data = data
        self._place = facts.labels
        self._path = path
        self._said: dict[int, Label] = {}

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """Every combination of categories that a digest of the set has, by number."""
        place, length, count = self._place
        return decode_labels(self._data[place : place + length], count)

    def label(self, number: int) -> Label:
        """One of them.

        Raises:
            ValueError: there is none of this number, for the set is damaged.
        """
        try:
            return self.labels[number]
        except IndexError as error:
            raise ValueError(f"the hash set {self._path} is damaged: there is no label {number}") from error

    def said(self, number: int) -> Label:
        """The same as a match says it: the role of the set counts more than a scheme."""
        said = self._said.get(number)
        if said is None:
            said = self.label(number)
            if self.role is Role.EXCLUDE:
                said = said._replace(disposition="exclude")
            self._said[number] = said
        return said
