"""Parts of known files, by digests of their blocks of 4 KiB."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from triage.api import BlockIndex, BlockMatch, File, FileMatch, Grade, Hit, Scanner, SkipFile

_STEP: Final = 4 << 20
_SECTOR: Final = 512
MOST_MATCHES: Final = 2_000_000
_RUNS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Options:
    """Indexes of blocks, made by ``triage hashset fragments``; ``least`` blocks of one known file make a hit."""

    fragments: tuple[Path, ...] = ()
    least: int = 2


class KnownFragments(Scanner):
    """Blocks of known files, in files and in space that belongs to none.

    They show what is left of a file that was cut off or overwritten in part.

    A block counts only if it is likely to be of one file alone (see `triage.hashsets.blocks.distinct_blocks`), and a
    single one is no hit. In files blocks are looked for at multiples of their size, in unallocated space at every
    sector. Does not cover compressed or altered copies, which share no block with the original, and known files shorter
    than a block. A file of which everything matches is a hit of ``hash.known`` too, if its digest is in a set.

    References: S. Garfinkel, M. McCarrin, "Hash-based carving", Digital Investigation 14 (2015)
    """

    id = "hash.fragments"
    yields = (Hit,)
    searches_space = True
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.indexes = []
        for path in self.options.fragments:
            try:
                index = BlockIndex(path)
                index.verify()
            except OSError as error:
                raise ValueError(f"the index of fragments {path} cannot be read: {error}") from error
            self.indexes.append(index)

    def idle(self) -> str:
        """There is nothing to compare with until a unit has made an index of the files that it holds."""
        return "" if self.indexes else "no index of fragments was given"

    def inputs(self) -> Mapping[str, str]:
        """The indexes with their digests."""
        found = {}
        for index in self.indexes:
            with index.path.open("rb") as stream:
                found[str(index.path)] = hashlib.file_digest(stream, "sha256").hexdigest()
        return found

    def scan(self, file: File) -> Iterator[Hit]:
        """One hit for each known file of which enough blocks are here."""
        for index in self.indexes:
            matches = list(_matches(index, file))
            for match in index.summarise(matches):
                if match.found >= min(self.options.least, match.distinct):
                    yield _hit(index, file, match)
            if len(matches) >= MOST_MATCHES:
                raise SkipFile(
                    f"blocks of {index.path.name} were found {MOST_MATCHES:,} times; the rest was not compared"
                )


def _matches(index: BlockIndex, file: File) -> Iterator[BlockMatch]:
    step = _SECTOR if file.is_space else index.block
    overlap, at, count, tail = (index.block - _SECTOR if file.is_space else 0), 0, 0, b""
    with file.open() as stream:
        while data := stream.read(_STEP):
            for match in index.find_blocks(tail + data, at - len(tail), step):
                yield match
                count += 1
                if count >= MOST_MATCHES:
                    return
            at += len(data)
            tail = (tail + data)[-overlap:] if overlap else b""


def _hit(index: BlockIndex, file: File, match: FileMatch) -> Hit:
    runs = "; ".join(
        f"{run.blocks:,} from block {run.first:,} on at offset {run.offset:,}" for run in match.runs[:_RUNS_SHOWN]
    )
    found = f"{match.found:,} of {match.distinct:,} distinct blocks of {index.block:,} bytes of {match.label}"
    more = f"; and {len(match.runs) - _RUNS_SHOWN:,} more runs" if len(match.runs) > _RUNS_SHOWN else ""
    return Hit(
        source=file.locator.at(match.runs[0].offset),
        grade=Grade.PARTIAL,
        name=index.path.name,
        detail=f"{found}: {runs}{more}",
        algorithm="md5 of blocks",
    )
