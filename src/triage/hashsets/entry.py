"""What importers hand to the index: entries of published lists of known files, and what a list says of itself.

A category is what the publisher wrote, in the publisher's scheme; what it means in a jurisdiction is decided elsewhere.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

DIGEST_BYTES: Final = {
    "md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "ed2k": 16, "btih": 20, "pdq": 32, "photodna": 144,
}  # fmt: skip
"""Algorithms that a set can hold, with the length of a value in bytes.

``ed2k`` is eDonkey's digest (MD4 of the MD4s of 9,728,000-byte parts), ``btih`` a BitTorrent v1 info-hash. ``photodna``
values are kept and given out again, never computed or compared here."""


class SetEntry(NamedTuple):
    """One entry of a list: all that it says about one file.

    ``where`` is its place in the list for a person (``line 7``, ``media 3``). ``digests`` are (algorithm, value) pairs,
    algorithms and lengths those of `DIGEST_BYTES`. ``category`` is the publisher's raw value, empty if there is none.
    ``size`` is in bytes, as the list states it. ``problems`` says which parts could not be used, and why; an entry
    without digests and with problems is one that was refused whole. ``withdrawn`` entries tell that the publisher has
    taken the file off the list.
    """

    where: str
    digests: tuple[tuple[str, bytes], ...] = ()
    category: str = ""
    size: int | None = None
    problems: tuple[str, ...] = ()
    withdrawn: bool = False


class PlainEntries(NamedTuple):
    """Many entries that are one digest of ``algorithm`` each and nothing else, one a line, the first in line ``first``.

    ``values`` are their digests, joined.
    """

    first: int
    algorithm: str
    values: bytes

    def digests(self) -> list[bytes]:
        """Each digest."""
        width, values = DIGEST_BYTES[self.algorithm], self.values
        return [values[at : at + width] for at in range(0, len(values), width)]


@dataclass(frozen=True, slots=True)
class ListFacts:
    """How a list is read, and what it says of itself.

    ``format`` names the format with its version (``VICS 2.0 #Media``), ``scheme`` whose categories it holds as the list
    itself says (``VICS 2.0 US``; empty where it does not), ``version`` and ``provider`` what it says of its edition and
    publisher, empty where it says nothing. ``remarks`` are doubts about the list as a whole.
    """

    format: str
    scheme: str = ""
    version: str = ""
    provider: str = ""
    remarks: tuple[str, ...] = ()
