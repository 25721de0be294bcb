"""Building a set: lists in, one sorted file out.

The same lists and options give the same file, byte for byte. A digest that is given more than once keeps all its
categories; one that is withdrawn anywhere in the lists is not part of the set, wherever else it stands.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from triage import __version__
from triage.hashsets.columns import Output, SectionWriter
from triage.hashsets.entry import DIGEST_BYTES, ListFacts, PlainEntries, SetEntry
from triage.hashsets.importers import ListOptions, open_in_bulk
from triage.hashsets.index_format import MAGIC, Role, Section, SetFacts, Source, encode_header
from triage.hashsets.labels import Labels
from triage.hashsets.schemes import load_scheme
from triage.hashsets.sort import NO_SIZE, WITHDRAWN, Digests, Merged, Scratch, Sorter

BUILDER: Final = f"forensic-triage {__version__}"
REASONS_KEPT: Final = 20
_LARGEST_SIZE: Final = 1 << 62
_SETTLE_EVERY: Final = 1 << 14
_PARTIAL: Final = ".partial"

Progress = Callable[[int], None]
_Adders = tuple[Callable[[bytes], None], Callable[[int], None], Callable[[int], None]]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a set is built. What is empty comes from the lists; ``reading`` says how they are to be read.

    ``scheme`` is one that `triage.hashsets.schemes.load_scheme` knows. Without one the set keeps what the lists call
    their scheme, and everything in it alerts.
    """

    name: str = ""
    role: Role = Role.ALERT
    scheme: str = ""
    provider: str = ""
    version: str = ""
    reading: ListOptions = field(default_factory=ListOptions)


DEFAULTS: Final = BuildOptions()


def build_set(
    lists: Sequence[Path],
    out: Path,
    options: BuildOptions = DEFAULTS,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> SetFacts:
    """Build one set from ``lists`` and put it at ``out``, in place of an older set if there is one.

    Scratch files (about three times the set) lie in ``scratch``, beside ``out`` if none is named. Whatever interrupts
    it, ``out`` is either the old set or the whole new one; what an interrupted build has left is removed by the next.
    ``progress`` gets the number of entries read so far. The name is that of ``out`` if the options give none.

    Raises:
        ValueError: a list cannot be used (the message names it), there is no such scheme, or ``out`` is something else
            than a set.
        OSError: the set cannot be written; the message names it.
    """
    _check_target(lists, out)
    partial = out.with_name(f".{out.name}.{os.getpid()}{_PARTIAL}")
    with _telling(out):
        for left in out.parent.glob(f".{_literal(out.name)}.*{_PARTIAL}"):
            left.unlink(missing_ok=True)
        try:
            with partial.open("xb") as stream:
                facts = write_set(lists, stream, options, options.name or out.stem, scratch or out.parent, progress)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(out.parent)
    return facts


def write_set(
    lists: Sequence[Path],
    stream: BinaryIO,
    options: BuildOptions,
    name: str,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> SetFacts:
    """As `build_set`, written to ``stream``; scratch files lie in the system's own place if none is named."""
    with Scratch(scratch) as files:
        return _write(lists, stream, options, name, _Intake(files, progress), files)


def _write(
    lists: Sequence[Path], stream: BinaryIO, options: BuildOptions, name: str, taken: "_Intake", scratch: Scratch
) -> SetFacts:
    chosen = load_scheme(options.scheme) if options.scheme else None
    sources = tuple(taken.read(path, options.reading, len(lists) > 1) for path in lists)
    scheme = chosen.id if chosen else _agreed([source.scheme for source in sources])
    out = Output(stream)
    out.write(MAGIC)
    sections, withdrawn, repeated, degenerate = [], [], 0, 0
    # By name: the order in which the lists bring algorithms must not show.
    for algorithm, sorter in sorted(taken.sorters.items()):
        parts = _Parts(algorithm, taken.labels)
        writer = SectionWriter(out, algorithm, sorter.rows, scratch)
        for merged in sorter.merged():
            writer.add(*parts.kept(merged))
        section = writer.finish()
        if section.rows:
            sections.append(section)
        if parts.withdrawn:
            withdrawn.append(_withdrawn(out, algorithm, parts.withdrawn, scratch))
        repeated, degenerate = repeated + parts.repeated, degenerate + parts.degenerate
    if not sections:
        raise ValueError(_nothing(lists, sources, taken.reasons, degenerate))
    texts = taken.labels.encoded(chosen)
    place = out.align()
    out.write(texts)
    facts = SetFacts(
        name, options.role.value, scheme, options.version or _joined([source.version for source in sources]),
        options.provider or _joined([source.provider for source in sources]), BUILDER, sources, repeated, degenerate,
        tuple(taken.reasons), (place, len(texts), len(taken.labels.texts)), tuple(sections), tuple(withdrawn),
    )  # fmt: skip
    out.write(encode_header(facts))
    stream.write(out.digest())
    return facts


def _withdrawn(out: Output, algorithm: str, digests: Sequence[Digests], scratch: Scratch) -> Section:
    writer = SectionWriter(out, algorithm, sum(map(len, digests)), scratch)
    for some in digests:
        writer.add(some, np.zeros(len(some), np.uint32), np.full(len(some), NO_SIZE))
    return writer.finish()


class _Intake:
    """What comes out of the lists, on its way to the sorters."""

    def __init__(self, scratch: Scratch, progress: Progress | None) -> None:
        self.sorters: dict[str, Sorter] = {}
        self.labels = Labels()
        self.reasons: list[str] = []
        self._scratch = scratch
        self._progress = progress
        self._read = 0
        self._adders: dict[str, _Adders] = {}

    def read(self, path: Path, options: ListOptions, several: bool) -> Source:
        """Take in a list. Reasons for rejects name it where there are ``several``."""
        before = f"{path.name}: " if several else ""
        try:
            if _is_set(path):
                raise ValueError("it is a built set; build from the lists it was made of")
            facts, entries = open_in_bulk(path, options)
            with path.open("rb") as stream:
                digest, size = hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()
        except (OSError, ValueError) as error:
            raise _unusable(path, error) from error
        count, rejected, partly = self._take(_guarded(path, entries), before)
        return Source(
            path.name, digest, size, facts.format, facts.scheme, facts.version, facts.provider, _remarks(facts), count,
            rejected, partly,
        )  # fmt: skip

    def _take(self, entries: Iterator[SetEntry | PlainEntries], before: str) -> tuple[int, int, int]:
        rejected = partly = count = 0
        numbers, adders = self.labels.of_category, self._adders
        # Twenty million times: no call that is not needed, and no batches, which keep the garbage collector busy.
        for entry in entries:
            if isinstance(entry, PlainEntries):
                count += self._take_plain(entry)
                self._settle(count)
                continue
            count += 1
            where, digests, category, size, problems, withdrawn = entry
            if problems:
                rejected, partly = rejected + (not digests), partly + bool(digests)
                kept = problems[: REASONS_KEPT - len(self.reasons)]
                self.reasons.extend(f"{before}{where}: {problem}" for problem in kept)
            label = numbers.get(category)
            if label is None:
                label = self.labels.take(category)
            if withdrawn:
                label |= WITHDRAWN
            if size is None or not 0 <= size < _LARGEST_SIZE:
                size = NO_SIZE
            for algorithm, digest in digests:
                add_digest, add_label, add_size = adders.get(algorithm) or self._adders_of(algorithm)
                add_digest(digest)
                add_label(label)
                add_size(size)
            if not count % _SETTLE_EVERY:
                self._settle(count)
        self._read += count
        self._settle(0)
        return count, rejected, partly

    def _take_plain(self, entries: PlainEntries) -> int:
        if entries.algorithm not in self.sorters:
            self._adders_of(entries.algorithm)
        sorter, digests = self.sorters[entries.algorithm], entries.digests()
        sorter.digests.extend(digests)
        sorter.labels.extend(repeat(self.labels.of_category[""], len(digests)))
        sorter.sizes.extend(repeat(NO_SIZE, len(digests)))
        return len(digests)

    def _settle(self, count: int) -> None:
        for sorter in self.sorters.values():
            sorter.settle()
        if self._progress is not None:
            self._progress(self._read + count)

    def _adders_of(self, algorithm: str) -> _Adders:
        sorter = self.sorters[algorithm] = Sorter(DIGEST_BYTES[algorithm], self._scratch)
        self._adders[algorithm] = (sorter.digests.append, sorter.labels.append, sorter.sizes.append)
        return self._adders[algorithm]


class _Parts:
    """Merged digests of one algorithm, sorted into kept, withdrawn and dropped."""

    def __init__(self, algorithm: str, labels: Labels) -> None:
        self.withdrawn: list[Digests] = []
        self.repeated = 0
        self.degenerate = 0
        self._labels = labels
        self._nothing = np.array(sorted(degenerate_digests(algorithm)), f"S{DIGEST_BYTES[algorithm]}")

    def kept(self, part: Merged) -> tuple[Digests, "npt.NDArray[np.uint32]", "npt.NDArray[np.int64]"]:
        """Digests of the set with labels and sizes."""
        ends = np.append(part.starts[1:], len(part.labels))
        places = np.minimum(np.searchsorted(part.digests, self._nothing), len(part.digests) - 1)
        nothing = places[part.digests[places] == self._nothing]
        keep = ~part.withdrawn
        keep[nothing] = False
        self.degenerate += int((ends - part.starts)[nothing].sum())
        part.withdrawn[nothing] = False
        if part.withdrawn.any():
            self.withdrawn.append(part.digests[part.withdrawn])
        self.repeated += int((ends - part.starts)[keep].sum() - keep.sum())
        labels = np.minimum.reduceat(part.labels, part.starts)
        if len(part.starts) < len(part.labels):
            several = (labels != np.maximum.reduceat(part.labels, part.starts)) & keep
            for at in np.flatnonzero(several):
                labels[at] = self._labels.joined(np.unique(part.labels[part.starts[at] : ends[at]]))
        return part.digests[keep], labels[keep], part.sizes[keep]


def degenerate_digests(algorithm: str) -> frozenset[bytes]:
    """Digests of nothing: of the empty file, and placeholders. In a set they would match every empty file.

    Besides all-zero and all-one digests, the keys 0…0 and 0…1 head the hash databases of The Sleuth Kit
    (``tsk/hashdb/tsk_hashdb_i.h``).
    """
    width = DIGEST_BYTES[algorithm]
    empty = {"ed2k": bytes.fromhex("31d6cfe0d16ae931b73c59d7e0c089c0")}
    if algorithm in hashlib.algorithms_guaranteed:
        empty[algorithm] = hashlib.new(algorithm).digest()
    placeholders = {bytes(width), b"\xff" * width, (1).to_bytes(width, "big")}
    return frozenset(placeholders | ({empty[algorithm]} if algorithm in empty else set()))


def _is_set(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def _guarded(path: Path, entries: Iterator[SetEntry | PlainEntries]) -> Iterator[SetEntry | PlainEntries]:
    """The entries; an error names the list, and is told from one of writing the set."""
    try:
        yield from entries
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"the list of known files {path} cannot be used: {error}")


def _remarks(facts: ListFacts) -> tuple[str, ...]:
    return tuple(facts.remarks[:REASONS_KEPT])


def _agreed(schemes: Sequence[str]) -> str:
    """The scheme that the lists state, where they state one only."""
    stated = sorted({scheme for scheme in schemes if scheme})
    if len(stated) > 1:
        raise ValueError(f"the lists state different schemes ({', '.join(stated)}); choose the one that is meant")
    return stated[0] if stated else ""


def _joined(texts: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _nothing(lists: Sequence[Path], sources: Sequence[Source], reasons: Sequence[str], degenerate: int) -> str:
    rejected = sum(source.rejected for source in sources)
    first = f"; first: {reasons[0]}" if reasons else ""
    dropped = f", {degenerate:,} digests of empty files or placeholders" if degenerate else ""
    named = ", ".join(map(str, lists))
    return f"the list of known files {named} holds no usable digest ({rejected:,} rows refused{dropped}{first})"


def _check_target(lists: Sequence[Path], out: Path) -> None:
    if not lists:
        raise ValueError("no list is named that a set could be built from")
    if out.exists():
        with _telling(out):
            if not _is_set(out):
                raise ValueError(f"{out} exists and is not a hash set; choose another place")


@contextmanager
def _telling(out: Path) -> Iterator[None]:
    """An error of writing names what was being written; that of a full disk has no name of its own."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"the hash set cannot be written: {reason}", str(out)) from error


def _literal(name: str) -> str:
    """A name for use in a pattern."""
    return "".join(f"[{letter}]" if letter in "[*?" else letter for letter in name)


def _sync_folder(folder: Path) -> None:
    """Make a renaming last. Windows has no such thing, and needs none."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
