"""The targets, and the figures of a session that they are compared with."""

from collections.abc import Callable, Mapping
from typing import Final

from bench.figures import Figure, Target, figure, megabytes, ratio
from bench.session import Run, Session
from bench.tools import LISTING, ONE_WORKER, SCAN, TWO_WORKERS, VERIFIED, WITH_PERCEPTUAL

READING: Final = "reading"
"""Stage of a scan in which content is read: the content pass."""

Goal = tuple[Target, Callable[[Session], Figure | None]]


def _divided(over: str, under: str) -> Callable[[Session], Figure | None]:
    return lambda session: ratio(session.series(over), session.series(under))


def _wall(name: str) -> Callable[[Session], Figure | None]:
    return lambda session: figure([run.wall for run in session.series(name).values()])


def _peak(session: Session) -> Figure | None:
    return megabytes([run.peak for run in session.series(SCAN).values()])


def _hit_seen(session: Session) -> Figure | None:
    return figure([run.first_hit for run in session.good(SCAN).values() if run.first_hit is not None])


def _hit_logged(session: Session) -> Figure | None:
    logged = [run.facts.first_hit for run in session.good(SCAN).values() if run.facts]
    return figure([seconds for seconds in logged if seconds is not None])


def speed_up(session: Session) -> Figure | None:
    """Seconds of the content pass in one worker divided by those in two, round by round."""
    one, two = (_reading(session.good(name)) for name in (ONE_WORKER, TWO_WORKERS))
    return figure([one[number] / two[number] for number in sorted(one.keys() & two.keys())])


def _reading(runs: Mapping[int, Run]) -> dict[int, float]:
    stated = {number: run.facts.stages.get(READING, 0.0) for number, run in runs.items() if run.facts}
    return {number: seconds for number, seconds in stated.items() if seconds > 0}


LAPTOP: Final[tuple[Goal, ...]] = (
    (Target("triage scan ÷ ewfverify", 0.8), _divided(SCAN, "ewfverify")),
    (Target("triage scan ÷ fiwalk -x", 0.45), _divided(SCAN, "fiwalk")),
    (Target("plaso ÷ triage scan", 40, at_most=False, digits=1), _divided("plaso", SCAN)),
    (Target("dissect ÷ triage scan", 12, at_most=False, digits=1), _divided("dissect", SCAN)),
    (Target("triage scan with perceptual digests ÷ ewfverify", 1.5), _divided(WITH_PERCEPTUAL, "ewfverify")),
    (Target("first known file, seen from outside", 3, unit="s"), _hit_seen),
    (Target("first known file, as the scan logs it", 3, unit="s"), _hit_logged),
    (Target("triage ls", 2.5, unit="s"), _wall(LISTING)),
    (Target("content pass, one worker ÷ two", 1.8, at_most=False), speed_up),
    (Target("peak memory of triage scan", 600, unit="MB", digits=0), _peak),
)
MILLION: Final[tuple[Goal, ...]] = ((Target("peak memory of triage scan", 1000, unit="MB", digits=0), _peak),)
"""What a session over a million small files is to show."""

OTHER_RATIOS: Final = (
    ("triage scan ÷ tsk_loaddb -h", _divided(SCAN, "tsk_loaddb")),
    ("triage scan, media verified ÷ ewfverify", _divided(VERIFIED, "ewfverify")),
)
"""Without a target."""
