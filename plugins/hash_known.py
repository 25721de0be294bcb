"""Known files by exact digest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from triage.api import File, Grade, HashMatch, Hit, Scanner, SkipFile, open_set

_EXACT: Final = frozenset({"sha512", "sha256", "sha1", "md5"})


@dataclass(frozen=True, slots=True)
class Options:
    """Sets of known files: built ones (``triage hashset build``), or lists in any format that it reads."""

    lists: tuple[Path, ...] = ()


class KnownFiles(Scanner):
    """Files whose whole content has a digest that is in a loaded set.

    What was carved from unallocated space is graded partial even if all of it matches, because no file system says that
    it was a file. Does not cover parts of files, altered or re-encoded copies, and content that could not be read
    whole. A category is the publisher's own word in the publisher's scheme; its meaning in a jurisdiction is decided
    elsewhere. A file in a set of the role ``exclude`` is a hit too: it tells why nobody need look at it.

    References: formats in `triage.hashsets.importers`, the built set in `triage.hashsets.index_format`.
    """

    id = "hash.known"
    yields = (Hit,)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.loaded = tuple(open_set(path) for path in self.options.lists)
        # Sets of perceptual or network digests only are for other plugins.
        self.sets = tuple(known for known in self.loaded if known.counts.keys() & _EXACT)

    def inputs(self) -> Mapping[str, str]:
        """The sets (or lists) with their digests."""
        return {str(known.path): known.sha256 for known in self.loaded}

    def remarks(self) -> Sequence[str]:
        """What of the lists is not in the sets."""
        remarks = []
        for known in self.loaded:
            facts = known.facts
            if facts.rejected or facts.partly:
                remarks.append(
                    f"{known.name}: {facts.rejected:,} entries were refused and {facts.partly:,} used in part; "
                    f"first: {'; '.join(facts.reasons[:3])}"
                )
            if facts.degenerate:
                remarks.append(
                    f"{known.name}: {facts.degenerate:,} digests of empty files, or placeholders, are left out"
                )
            if known not in self.sets:
                remarks.append(f"{known.name}: holds {', '.join(known.counts)} only, which {self.id} does not compare")
        return remarks

    def scan(self, file: File) -> Iterator[Hit]:
        """One hit for each set that holds the file's digest."""
        for known in self.sets:
            if not known.counts.keys() & file.digests.keys():
                has, made = "/".join(known.counts), "/".join(file.digests) or "no"
                raise SkipFile(f"the set {known.name} has {has} digests, and {made} digests were made of this file")
            match = known.find(file.digests)
            if match is not None:
                yield Hit(
                    source=file.locator,
                    grade=Grade.PARTIAL if file.carved else Grade.EXACT,
                    name=match.name,
                    detail=_detail(match, file),
                    algorithm=match.algorithm,
                    scheme=match.scheme,
                    category=match.category,
                    disposition=match.disposition,
                )


def _detail(match: HashMatch, file: File) -> str:
    words = f"{match.algorithm} {match.digest}"
    if match.listed_size is not None and match.listed_size != file.size:
        words += f"; the list states {match.listed_size:,} bytes, this file has {file.size:,}"
    if file.carved:
        words += "; of bytes carved from space that belongs to no file"
    return words
