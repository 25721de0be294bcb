"""Figures of several rounds: medians, ratios, targets and what they say. Nothing here measures or prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Final

from bench.measure import Measurement

Series = Mapping[int, Measurement]
"""Measurements of one tool by round."""


class Bound(Enum):
    """How a figure is to be read."""

    EXACT = ""
    AT_LEAST = "≥ "
    AT_MOST = "≤ "


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with the lowest and highest value of all rounds."""

    value: float
    low: float
    high: float
    bound: Bound = Bound.EXACT

    def text(self, digits: int = 2) -> str:
        """The median, with the range where there is one."""
        value = f"{self.bound.value}{self.value:.{digits}f}"
        return value if self.low == self.high else f"{value} ({self.low:.{digits}f} – {self.high:.{digits}f})"


def figure(values: Sequence[float], bound: Bound = Bound.EXACT) -> Figure | None:
    """Median, lowest and highest of some values; None of none.

    >>> figure([3.0, 1.0, 2.0]).text(1)
    '2.0 (1.0 – 3.0)'
    """
    return Figure(median(values), min(values), max(values), bound) if values else None


def ratio(over: Series, under: Series) -> Figure | None:
    """Wall times of one tool divided by another's, round by round, over the rounds that have both.

    The machine's clock changes between rounds, so only runs of the same round are compared. Where a tool was cut off at
    its time limit, the ratio is a bound; where both were, there is none.
    """
    shared = sorted(over.keys() & under.keys())
    cut_over = any(over[number].cut for number in shared)
    cut_under = any(under[number].cut for number in shared)
    if cut_over and cut_under:
        return None
    bound = Bound.AT_LEAST if cut_over else Bound.AT_MOST if cut_under else Bound.EXACT
    return figure([over[number].wall / under[number].wall for number in shared], bound)


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: at most ``limit``, or at least."""

    name: str
    limit: float
    at_most: bool = True
    unit: str = ""
    digits: int = 2

    def text(self) -> str:
        """As a condition.

        >>> Target("memory", 600, unit="MB", digits=0).text()
        '<= 600 MB'
        """
        return f"{'<=' if self.at_most else '>='} {self.limit:g}{' ' if self.unit else ''}{self.unit}"

    def verdict(self, found: Figure | None) -> str:
        """``met``, ``missed``, or ``open`` where a bound does not decide; ``not measured`` of nothing."""
        if found is None:
            return "not measured"
        holds = found.value <= self.limit if self.at_most else found.value >= self.limit
        useless = Bound.AT_LEAST if self.at_most else Bound.AT_MOST
        if found.bound is Bound.EXACT:
            return "met" if holds else "missed"
        if found.bound is useless:
            # A lower bound below an upper limit says nothing; one above it says enough.
            return "open" if holds else "missed"
        return "met" if holds else "open"


MEGABYTE: Final = 1_000_000


def megabytes(sizes: Sequence[int | None]) -> Figure | None:
    """Peaks in MB (10^6 bytes). The value is the highest of all rounds, as a limit must hold in each."""
    known = [size / MEGABYTE for size in sizes if size is not None]
    return Figure(max(known), min(known), max(known)) if known else None


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A Markdown table that is also readable as text; the columns ``numbers`` stand right.

    >>> print(table(("tool", "s"), [("a", "10"), ("bc", "1.5")], numbers=(1,)))
    | tool |   s |
    |------|----:|
    | a    |  10 |
    | bc   | 1.5 |
    """
    widths = [max(3, *(len(row[column]) for row in (head, *rows))) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    rule = "|".join("-" * (w + 1) + ":" if n in numbers else "-" * (w + 2) for n, w in enumerate(widths))
    return "\n".join((line(head), f"|{rule}|", *map(line, rows)))
