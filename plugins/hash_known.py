"""Known files by exact digest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from triage.api import File, Grade, HashMatch, Hit, Scanner, SkipFile, load_list


@dataclass(frozen=True, slots=True)
class Options:
    """Lists of known files, in any format that `triage.api.load_list` reads."""

    lists: tuple[Path, ...] = ()


class KnownFiles(Scanner):
    """Files whose whole content has a digest that is in a loaded list.

    Does not cover parts of files, altered or re-encoded copies, and content that could not be read whole. A category
    is the publisher's own word in the publisher's scheme; its meaning in a jurisdiction is decided elsewhere.

    References: formats in `triage.hashsets.formats`.
    """

    id = "hash.known"
    yields = (Hit,)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.lists = tuple(load_list(path) for path in self.options.lists)

    def inputs(self) -> Mapping[str, str]:
        """The lists with their digests."""
        return {str(known.path): known.sha256 for known in self.lists}

    def remarks(self) -> Sequence[str]:
        """Rows of the lists that could not be used."""
        return [
            f"{known.name}: {known.rejected:,} rows were refused; first: {'; '.join(known.reasons[:3])}"
            for known in self.lists
            if known.rejected
        ]

    def scan(self, file: File) -> Iterator[Hit]:
        """One hit for each list that holds the file's digest."""
        for known in self.lists:
            if not known.counts.keys() & file.digests.keys():
                has, made = "/".join(known.counts), "/".join(file.digests) or "no"
                raise SkipFile(f"the list {known.name} has {has} digests, and {made} digests were made of this file")
            match = known.find(file.digests)
            if match is not None:
                yield Hit(
                    source=file.locator,
                    grade=Grade.EXACT,
                    name=match.name,
                    detail=_detail(match, file.size),
                    algorithm=match.algorithm,
                    scheme=match.scheme,
                    category=match.category,
                )


def _detail(match: HashMatch, size: int) -> str:
    words = f"{match.algorithm} {match.digest}"
    if match.listed_size is not None and match.listed_size != size:
        words += f"; the list states {match.listed_size:,} bytes, this file has {size:,}"
    return words
