"""Groups of pictures that look alike, so that one decision serves many."""

from typing import Final

import numpy as np
import numpy.typing as npt

from triage.hashsets.near import NearIndex, Values
from triage.hashsets.pdq import PDQ_THRESHOLD

_STEP: Final = 512
"""Pictures looked up at a time: a bound on memory where very many lie near to each other."""

Numbers = npt.NDArray[np.int64]


def groups(values: Values, threshold: int = PDQ_THRESHOLD) -> Numbers:
    """A group number for each digest of an array of shape (count, 32).

    Two digests are in one group if they lie within ``threshold`` bits, or are linked by others each of which lies so
    near to the next; so the ends of a group may differ by more. Groups are numbered from 0 in the order in which their
    first members stand. Digests of a quality below `triage.hashsets.pdq.PDQ_LEAST_QUALITY` say too little to be passed.

    Takes seconds for 100,000 pictures; time grows with the square of the largest group, memory does not.

    Raises:
        ValueError: the array has another shape.
        OSError: there is no room for a scratch file.
    """
    if not len(values):
        return np.zeros(0, np.int64)
    distinct, member = np.unique(values, axis=0, return_inverse=True)
    index = NearIndex.of(distinct)
    group = np.arange(len(distinct), dtype=np.int64)
    for start in range(0, len(distinct), _STEP):
        queries, rows, _ = index.pairs(distinct[start : start + _STEP], threshold)
        _join(group, queries + start, rows)
    return _in_order(group[member.ravel()])


def _join(group: Numbers, some: Numbers, others: Numbers) -> None:
    """Give one number to the groups of each pair."""
    ones, twos = group[some], group[others]
    apart = ones != twos
    links = np.unique(ones[apart] * len(group) + twos[apart])
    first: dict[int, int] = {}

    def root(number: int) -> int:
        while first.get(number, number) != number:
            first[number] = number = first.get(first[number], first[number])
        return number

    for link in links.tolist():
        low, high = sorted(map(root, divmod(link, len(group))))
        first[high] = low
    if first:
        changed = np.arange(len(group), dtype=np.int64)
        changed[list(first)] = [root(number) for number in first]
        group[:] = changed[group]


def _in_order(group: Numbers) -> Numbers:
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.ravel()]
