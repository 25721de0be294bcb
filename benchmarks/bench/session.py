"""Rounds over one image: every tool once, in turn, each in a fresh folder, nothing dropped."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.figures import Series
from bench.measure import Measurement, measure
from bench.stored import CaseFacts, FirstHit, facts
from bench.tools import CASE, NoWorkError, Tool

_SEGMENT: Final = re.compile(r"\.[EeLs][0-9A-Za-z]{2}")
_WARM: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool. ``proof`` says what it did; a ``failure`` says why its times mean nothing."""

    measured: Measurement
    proof: str = ""
    failure: str = ""
    facts: CaseFacts | None = None
    first_hit: float | None = None
    """Seconds from the start of the command until the case showed a known file to another process."""


@dataclass(slots=True)
class Session:
    """All runs over one image, by tool and round."""

    image: Path
    title: str
    tools: list[Tool]
    rounds: int
    slow_rounds: int
    timeout: float
    runs: dict[str, dict[int, Run]] = field(default_factory=dict)
    loads: dict[int, float] = field(default_factory=dict)
    """Load of the machine (1 minute) before each round."""

    def run_round(self, number: int, scratch: Path) -> None:
        """Run every tool once; from ``slow_rounds`` on, the slow ones no more."""
        read_once(self.image)
        self.loads[number] = os.getloadavg()[0]
        for tool in self.tools:
            if tool.slow and number > self.slow_rounds:
                continue
            run = run_tool(tool, self.image, scratch, self.timeout if tool.slow else None)
            self.runs.setdefault(tool.name, {})[number] = run
            said = run.failure or run.proof or "cut off"
            print(f"{self.title}, round {number}: {tool.name}: {run.measured.wall:.2f} s, {said}", file=sys.stderr)

    def good(self, name: str) -> Mapping[int, Run]:
        """Runs of a tool that did their work, or were cut off at their time limit, by round."""
        return {number: run for number, run in self.runs.get(name, {}).items() if not run.failure}

    def series(self, name: str) -> Series:
        """Measurements of `good` runs."""
        return {number: run.measured for number, run in self.good(name).items()}


def run_tool(tool: Tool, image: Path, scratch: Path, timeout: float | None) -> Run:
    """Run a tool once in a fresh folder below ``scratch``, which is removed again."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
    watch = FirstHit(folder / CASE)
    try:
        looking = watch.look if tool.makes_case else _nothing
        measured = measure(tool.command(image), folder, timeout=timeout, watch=looking)
        if measured.cut:
            return Run(measured)
        if measured.code not in tool.codes:
            return Run(measured, failure=f"exit code {measured.code}: {_last_line(folder / 'stderr')}")
        proof = tool.proof(folder)
        if not tool.makes_case:
            return Run(measured, proof)
        # A hit that came between the last sample and the end.
        watch.look(measured.wall)
        return Run(measured, proof, facts=facts(folder / CASE), first_hit=watch.seconds)
    except NoWorkError as error:
        return Run(measured, failure=str(error))
    finally:
        shutil.rmtree(folder)


def segments(image: Path) -> list[Path]:
    """All segment files of an image that lie beside its first one."""
    if not _SEGMENT.fullmatch(image.suffix):
        return [image]
    beside = image.parent.glob(f"{image.stem}.*")
    return sorted(p for p in beside if _SEGMENT.fullmatch(p.suffix) and p.suffix[1] == image.suffix[1])


def read_once(image: Path) -> None:
    """Read the image, so that all tools find it in the system's cache: the disk is not what is measured."""
    for path in segments(image):
        with path.open("rb", buffering=0) as data:
            while data.read(_WARM):
                pass


def _nothing(_: float) -> None:
    return


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it says nothing"
