"""Parts of known files: digests of first bytes and of blocks, and an index of the blocks of many files.

First-block digests cover the first 512 bytes and the first 64 KiB of a file, as those that IPED calls LED do (there
MD5: the short one to sift with, the long one to confirm). Blocks are judged before they count: one that many files
share tells nothing of a file (S. Garfinkel, M. McCarrin, "Hash-based carving", Digital Investigation 14 (2015)).
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK: Final = 4096
FIRST_SHORT: Final = 512
FIRST_LONG: Final = 64 << 10

_AT_ONCE: Final = 256
_LOW_ENTROPY: Final = 2.0
_SPACES: Final = (0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D)


class FirstDigests(NamedTuple):
    """Digests of the first 512 bytes and the first 64 KiB of a file; empty where the file is shorter than that.

    Also empty where those first bytes are all the same, which says nothing of the file.
    """

    md5_512: bytes
    sha256_512: bytes
    md5_64k: bytes
    sha256_64k: bytes


def first_digests(start: bytes) -> FirstDigests:
    """First-block digests from the first `FIRST_LONG` bytes of a file, or all of a shorter one.

    >>> first_digests(bytes(range(256)) * 2).md5_512.hex()
    'f5c8e3c31c044bae0e65569560b54332'
    >>> first_digests(bytes(512)).md5_512
    b''
    """
    digests: list[bytes] = []
    for length in (FIRST_SHORT, FIRST_LONG):
        part = start[:length]
        told = len(part) == length and part.count(part[:1]) < length
        digests += [hashlib.md5(part).digest(), hashlib.sha256(part).digest()] if told else [b"", b""]
    return FirstDigests(*digests)


def block_digests(
    data: bytes, block: int = BLOCK, algorithm: str = "md5", step: int = 0
) -> Iterator[tuple[int, bytes]]:
    """Offset and digest (any algorithm of `hashlib`) of each whole block of ``data``, distinct or not.

    Blocks begin at every ``step`` bytes, by default one behind the other.
    """
    for offset in range(0, len(data) - block + 1, step or block):
        yield offset, hashlib.new(algorithm, data[offset : offset + block]).digest()


def is_distinct(block: bytes) -> bool:
    """Whether a block (a multiple of four bytes) is likely to be of one file only; see `distinct_blocks`.

    >>> is_distinct(bytes(4096)), is_distinct(b"0123456789 \\n" * 340 + bytes(16))
    (False, False)
    """
    return len(block) > 0 and bool(distinct_blocks(block, len(block)).all())


def distinct_blocks(data: bytes, block: int = BLOCK) -> npt.NDArray[np.bool_]:
    """For each whole block of ``data`` whether it is likely to be of one file only.

    Not distinct are blocks in which, counted in words of four bytes at multiples of four:

    - one word makes up more than a quarter, or fewer than three differ (*histogram*);
    - more than half of the words are one more than the word before, in either byte order (*ramp*: tables of offsets);
    - three quarters or more of the steps from word to word go up, or down, or nowhere (*monotonic*);
    - three quarters or more of the bytes are white space (*whitespace*);
    - fewer than one word in sixteen is new (*repetition*: patterns of up to 256 bytes in a block of 4 KiB);
    - the bytes carry less than two bits each (*entropy*).

    The first four rules are those of hashdb 3.1 (``calculate_block_label.cpp``), with its thresholds; big-endian words
    in the second and third, repetition and entropy are ours.

    Raises:
        ValueError: ``block`` is no positive multiple of four.
    """
    if block <= 0 or block % 4:
        raise ValueError(f"blocks of {block} bytes do not consist of words of four")
    whole = len(data) // block
    result = np.zeros(whole, np.bool_)
    rows = np.frombuffer(data, np.uint8, whole * block).reshape(whole, block)
    for first in range(0, whole, _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        words = part.view("<u4")
        told = np.flatnonzero((words != words[:, :1]).any(axis=1))
        if len(told):
            result[first + told] = _judge(part[told])
    return result


def _judge(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """The rules of `distinct_blocks`, for the blocks in ``rows``."""
    size = rows.shape[1]
    words = rows.view("<u4")
    good = ~_ordered(words, size) & ~_ordered(rows.view(">u4").astype(np.uint32), size)
    ranked = np.sort(words, axis=1)
    kinds = (ranked[:, 1:] != ranked[:, :-1]).sum(axis=1) + 1
    many = size // 16
    good &= (kinds >= 3) & (kinds >= size // 64)
    if many < ranked.shape[1]:
        good &= (ranked[:, many:] != ranked[:, : ranked.shape[1] - many]).all(axis=1)
    counts = np.bincount((rows + (np.arange(len(rows)) << 8)[:, None]).ravel(), minlength=len(rows) << 8)
    counts = counts.reshape(len(rows), 256)
    good &= counts[:, _SPACES].sum(axis=1) * 4 < size * 3
    shares = np.where(counts, counts, 1) / size
    entropy = -(shares * np.log2(shares) * (counts > 0)).sum(axis=1)
    return np.asarray(good & (entropy >= _LOW_ENTROPY), np.bool_)


def _ordered(words: npt.NDArray[np.uint32], size: int) -> npt.NDArray[np.bool_]:
    """Whether the words of each block form a ramp, or go the same way nearly always."""
    before, after = words[:, :-1], words[:, 1:]
    ramp = (before + np.uint32(1) == after).sum(axis=1) > size // 8
    up, down = (after > before).sum(axis=1), (after < before).sum(axis=1)
    most = np.maximum(np.maximum(up, down), before.shape[1] - up - down)
    return np.asarray(ramp | (most * 4 >= words.shape[1] * 3), np.bool_)


class BlockMatch(NamedTuple):
    """A block at ``offset`` (bytes, where was searched) that is block number ``block`` of the known file ``label``."""

    offset: int
    label: str
    block: int


class Run(NamedTuple):
    """``blocks`` blocks in a row: from ``offset`` on where was searched, from number ``first`` on in the known file."""

    offset: int
    first: int
    blocks: int


class FileMatch(NamedTuple):
    """What of one known file was found: ``found`` of its ``distinct`` blocks, in ``runs`` ordered by offset."""

    label: str
    found: int
    distinct: int
    runs: tuple[Run, ...]

    def __str__(self) -> str:
        """One line for a person, worded as what it is: a candidate.

        >>> print(FileMatch("a.jpg", 3, 9, (Run(8192, 2, 2), Run(40960, 7, 1))))
        3 of 9 distinct blocks of a.jpg found, in 2 runs from offset 8192
        """
        runs = f"in {len(self.runs)} runs" if len(self.runs) > 1 else "in order"
        place = f", {runs} from offset {self.runs[0].offset}" if self.runs else ""
        return f"{self.found} of {self.distinct} distinct blocks of {self.label} found{place}"


def summarise(matches: Iterable[BlockMatch], distinct: dict[str, int], block: int = BLOCK) -> tuple[FileMatch, ...]:
    """Matches summed up by known file, most blocks first; ``distinct`` is how many distinct blocks each of them has.

    A block found in several places counts once; all its places show in the runs.
    """
    by_label: dict[str, list[BlockMatch]] = {}
    for match in matches:
        by_label.setdefault(match.label, []).append(match)
    files = [
        FileMatch(label, len({match.block for match in found}), distinct.get(label, 0), _runs(found, block))
        for label, found in by_label.items()
    ]
    return tuple(sorted(files, key=lambda file: (-file.found, file.label)))


def _runs(matches: list[BlockMatch], block: int) -> tuple[Run, ...]:
    """Matches of one known file as runs of blocks that follow each other here and there."""
    runs: list[Run] = []
    # Grouped by the distance between here and there, so that places of equal blocks do not break up a run.
    for match in sorted(set(matches), key=lambda each: (each.offset - each.block * block, each.offset)):
        last = runs[-1] if runs else None
        if last and (match.offset, match.block) == (last.offset + last.blocks * block, last.first + last.blocks):
            runs[-1] = last._replace(blocks=last.blocks + 1)
        else:
            runs.append(Run(match.offset, match.block, 1))
    return tuple(sorted(runs))
