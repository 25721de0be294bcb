"""Sets of perceptual digests ready for near look-ups: a built set, or a list, with its near index."""

import mmap
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from triage.hashsets.build import BuildOptions, write_set
from triage.hashsets.importers import ListOptions
from triage.hashsets.index import HashIndex, HashMatch
from triage.hashsets.near import NearIndex
from triage.hashsets.prepare import is_set

SUFFIX: Final = ".near"
"""The near index of a built set lies beside it, under its name with this at the end."""
_ALGORITHM: Final = "pdq"


@dataclass(frozen=True, slots=True)
class NearMatch:
    """An entry of a set that lies near: in which variant (its number), how far (bits), and what the set says of it."""

    variant: int
    distance: int
    match: HashMatch


@dataclass(frozen=True, slots=True)
class NearSet:
    """The PDQ values of a set, and what else the set holds."""

    known: HashIndex
    index: NearIndex

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a built set or a list in any known format; values of 64 digits in a list are taken as PDQ.

        The near index is the file beside the set that `write_near` has made for it, else one that is made now and ends
        with this process (5 seconds for five million values).

        Raises:
            ValueError: it cannot be used; names it.
        """
        known = HashIndex.open(path) if is_set(path) else _from_list(path)
        return cls(known, _beside(known) or _made(known))

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.known.name

    def nearest(self, variants: Sequence[bytes], threshold: int) -> NearMatch | None:
        """The entry nearest to any of the variants of a picture's value, the first of equals, if there is one."""
        queries = np.frombuffer(b"".join(variants), np.uint8).reshape(len(variants), -1)
        for near in self.index.find_any(queries, threshold):
            return NearMatch(near.query, near.distance, self.known.at(_ALGORITHM, near.row))
        return None


def write_near(path: Path) -> Path | None:
    """Write the near index of the built set at ``path`` beside it; `None` if the set holds no PDQ values.

    Raises:
        ValueError: it is no set, or damaged; names it.
        OSError: the index cannot be written.
    """
    known = HashIndex.open(path)
    if not known.counts.get(_ALGORITHM):
        return None
    out = path.with_name(path.name + SUFFIX)
    NearIndex.build(known.array(_ALGORITHM), out, _key(known))
    return out


def _key(known: HashIndex) -> bytes:
    return bytes.fromhex(known.digest)


def _beside(known: HashIndex) -> NearIndex | None:
    """The index that was made for this very set; one of an older edition of it is left alone."""
    path = known.path.with_name(known.path.name + SUFFIX)
    if not path.exists():
        return None
    index = NearIndex.open(path)
    return index if index.key == _key(known) else None


def _made(known: HashIndex) -> NearIndex:
    try:
        return NearIndex.of(known.array(_ALGORITHM), _key(known))
    except OSError as error:
        raise ValueError(f"no near index can be made for {known.path}: {error}") from error


def _from_list(path: Path) -> HashIndex:
    with tempfile.TemporaryFile() as stream:
        facts = write_set([path], stream, BuildOptions(reading=ListOptions(hex64=_ALGORITHM)), path.name)
        stream.flush()
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return HashIndex(data, path, facts.sources[0].sha256)
