"""Measures `triage` and other tools over the same image, in turn, in several rounds, and writes what it found.

    python benchmarks/run.py --image laptop.E01 --known known.csv [--million million.E01 --million-known FILE]

README.md beside this file says how it measures and what is not comparable. Python's standard library only, besides the
suite itself, which must be installed in the environment whose Python runs this.
"""

import argparse
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.results import render
from bench.session import Session
from bench.targets import LAPTOP, MILLION, Goal
from bench.tools import LISTING, PEERS, SCAN, Tool, Tools, our_tools, peer_tools, version_of


def main() -> None:
    """Parse the command line, run the rounds, and write the results after each."""
    # Ended from outside, it ends the tool that is running, which leads a session of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    chosen = arguments()
    began = datetime.now(UTC)
    sessions, skipped = plan(chosen)
    versions = {
        tool.name: version_of(tool) for session, _ in sessions for tool in session.tools if not _variant(tool.name)
    }
    text = ""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.scratch) as scratch:
        for session, _ in sessions:
            for number in range(1, session.rounds + 1):
                session.run_round(number, Path(scratch))
                text = render([s for s in sessions if s[0].runs], skipped, versions, began)
                chosen.out.write_text(text)
    print(text)


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="Measure triage and other tools over the same image, in turn.")
    parser.add_argument("--image", type=Path, required=True, help="first segment of the laptop image")
    parser.add_argument("--known", type=Path, help="list of known files in it")
    parser.add_argument("--perceptual", type=Path, metavar="LIST", help="list with perceptual digests, for their row")
    parser.add_argument("--million", type=Path, help="first segment of the image of a million files")
    parser.add_argument("--million-known", type=Path, metavar="KNOWN", help="list of known files in that")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--brief", action="store_true", help="of the suite, only triage scan and triage ls")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of plaso, dissect and the million files")
    parser.add_argument("--peers", default=",".join(PEERS), help="other tools, with commas between (default: all)")
    parser.add_argument("--million-peers", default="ewfverify", help="the same over the million files")
    parser.add_argument("--plaso-bin", type=Path, metavar="DIR", help="folder of log2timeline, if not on PATH")
    parser.add_argument("--dissect-bin", type=Path, metavar="DIR", help="folder of target-yara, if not on PATH")
    parser.add_argument("--peer-timeout", type=float, default=7200, metavar="S", help="limit of plaso and dissect")
    parser.add_argument("--scratch", type=Path, help="where cases and databases are made (default: the system's place)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    chosen = parser.parse_args()
    for name in ("image", "known", "perceptual", "million", "million_known"):
        path = getattr(chosen, name)
        if path is not None:
            if not path.exists():
                parser.error(f"{path} does not exist")
            setattr(chosen, name, path.resolve())
    for name in ("peers", "million_peers"):
        names = [word for word in getattr(chosen, name).split(",") if word]
        if unknown := [word for word in names if word not in PEERS]:
            parser.error(f"no tool is called {unknown[0]!r}; there are: {', '.join(PEERS)}")
        setattr(chosen, name, names)
    return chosen


def plan(chosen: argparse.Namespace) -> tuple[list[tuple[Session, tuple[Goal, ...]]], dict[str, str]]:
    """The sessions with their targets, and what cannot be measured, with the reasons."""
    ours = our_tools(chosen.known, chosen.perceptual)
    peers = peer_tools(chosen.peers, chosen.plaso_bin, chosen.dissect_bin)
    skipped = ours.skipped | peers.skipped | {name: "not asked for" for name in PEERS if name not in chosen.peers}
    tools = [*(_few(ours) if chosen.brief else ours.found), *peers.found]
    laptop = Session(chosen.image, "A laptop", tools, chosen.rounds, chosen.slow_rounds, chosen.peer_timeout)
    sessions: list[tuple[Session, tuple[Goal, ...]]] = [(laptop, LAPTOP)]
    if chosen.million is None:
        skipped["a million small files"] = "not asked for (--million)"
    else:
        few = _few(our_tools(chosen.million_known, None))
        others = peer_tools(chosen.million_peers, chosen.plaso_bin, chosen.dissect_bin)
        rounds, limit = chosen.slow_rounds, chosen.peer_timeout
        million = Session(chosen.million, "A million small files", [*few, *others.found], rounds, rounds, limit)
        sessions.append((million, MILLION))
    return sessions, skipped


def _few(tools: Tools) -> list[Tool]:
    return [tool for tool in tools.found if tool.name in (SCAN, LISTING)]


def _variant(name: str) -> bool:
    return name.startswith("triage ") and name != SCAN


if __name__ == "__main__":
    main()
