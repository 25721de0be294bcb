"""Renders sessions as Markdown: one text for the terminal and for RESULTS.md."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from bench.figures import Figure, figure, megabytes, table
from bench.machine import describe
from bench.session import Run, Session, segments
from bench.targets import OTHER_RATIOS, Goal
from bench.tools import Tool

OUTSIDE: Final = "before and after the scan"
"""What remains of a command's wall time: its start, and what is printed at the end."""
STAGES: Final = ("opening", "walking", "reading", "verifying", "reporting", "finished")
"""The order in which known stages are listed; others follow."""
HEAD: Final = """# Results

Written by `run.py`; how it measures, and what is not comparable, stands in [README.md](README.md).
Wall times are medians with the lowest and the highest; ratios are medians of the ratios within one round."""


def render(
    sessions: Sequence[tuple[Session, Sequence[Goal]]],
    skipped: Mapping[str, str],
    versions: Mapping[str, str],
    at: datetime,
) -> str:
    """All of it. ``skipped`` are reasons and ``versions`` lines by tool; ``at`` is when the run began, in UTC."""
    facts = [("date", f"{at:%Y-%m-%d %H:%M} UTC"), *describe(), *versions.items()]
    parts = [HEAD, "## Where", table(("what", "which"), facts)]
    for session, goals in sessions:
        size = sum(path.stat().st_size for path in segments(session.image))
        parts += [f"## {session.title}", f"`{session.image.name}`, {size / 1e6:,.0f} MB."]
        parts += [tools_table(session), sampling_note(session)]
        parts += [*targets_table(session, goals), *stages_table(session), rounds_table(session)]
    if skipped:
        parts += ["## Not measured", table(("what", "why"), list(skipped.items()))]
    return "\n\n".join(parts) + "\n"


def tools_table(session: Session) -> str:
    """Work and cost of every tool."""
    head = ("tool", "what it did", "shown by its output", "runs", "wall s", "CPU s", "peak MB")
    return table(head, [_tool_row(tool, session.runs.get(tool.name, {})) for tool in session.tools], (3, 4, 5, 6))


def sampling_note(session: Session) -> str:
    """How much the sampling of memory disturbed the runs that it disturbed most."""
    measured = [run.measured for runs in session.runs.values() for run in runs.values()]
    share = max((one.sampling / one.wall for one in measured), default=0.0)
    return f"Sampling memory took at most {share:.1%} of one core."


def _tool_row(tool: Tool, runs: Mapping[int, Run]) -> tuple[str, ...]:
    good = [run for run in runs.values() if not run.failure]
    failed = sorted({run.failure for run in runs.values() if run.failure})
    said = "; ".join([*sorted({run.proof for run in good if run.proof}), *(f"failed: {why}" for why in failed)])
    cut = any(run.measured.cut for run in good)
    return (
        tool.name,
        tool.work,
        said or "cut off",
        str(len(runs)),
        ("> " if cut else "") + _text(figure([run.measured.wall for run in good])),
        _text(figure([run.measured.cpu for run in good]), 1),
        _text(megabytes([run.measured.peak for run in good]), 0),
    )


def targets_table(session: Session, goals: Sequence[Goal]) -> list[str]:
    """Ratios and other figures with their targets."""
    rows = []
    for target, measured in goals:
        found = measured(session)
        rows.append((target.name, _text(found, target.digits), target.text(), target.verdict(found)))
    rows += [(name, _text(measured(session)), "", "") for name, measured in OTHER_RATIOS if measured(session)]
    return [table(("figure", "measured", "target", "verdict"), rows, (1, 2))] if rows else []


def stages_table(session: Session) -> list[str]:
    """Median seconds of each stage of each kind of scan."""
    columns: dict[str, dict[str, float]] = {}
    for tool in session.tools:
        runs = [run for run in session.good(tool.name).values() if run.facts and run.facts.stages]
        if runs:
            columns[tool.name] = _stages(runs)
    names = list(dict.fromkeys(name for stages in columns.values() for name in (*STAGES, *stages)))
    rows = [
        (name, *(f"{stages[name]:.2f}" if name in stages else "" for stages in columns.values()))
        for name in names
        if any(name in stages for stages in columns.values())
    ]
    return [table(("stage, s", *columns), rows, range(1, len(columns) + 1))] if rows else []


def _stages(runs: Sequence[Run]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for run in runs:
        if run.facts is None:
            continue
        for name, seconds in run.facts.stages.items():
            values.setdefault(name, []).append(seconds)
        total = run.facts.stages.get("total", sum(run.facts.stages.values()))
        values.setdefault(OUTSIDE, []).append(run.measured.wall - total)
    return {name: found.value for name, part in values.items() if (found := figure(part))}


def rounds_table(session: Session) -> str:
    """Every wall time, and the load of the machine before each round."""
    names = [tool.name for tool in session.tools]
    rows = []
    for number, load in session.loads.items():
        runs = [session.runs.get(name, {}).get(number) for name in names]
        rows.append((str(number), f"{load:.2f}", *(f"{run.measured.wall:.2f}" if run else "" for run in runs)))
    return table(("round", "load before", *names), rows, range(len(names) + 2))


def _text(found: Figure | None, digits: int = 2) -> str:
    return found.text(digits) if found else "–"
