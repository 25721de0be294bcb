"""Builds a set of many SHA-1 digests and looks digests up in it, beside `hfind` of The Sleuth Kit on its own index.

    python benchmarks/hashset.py [--rows 20000000] [--rounds 5] [--scratch DIR] [--out FILE]

The digests are made up, the same every time. hfind reads lists of MD5 digests, so its list holds the first 16 bytes of
each of ours. Half of what is looked up is in the lists. README.md beside this file says how it is measured.
"""

import argparse
import hashlib
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.figures import table
from bench.machine import describe

from triage.hashsets.index import HashIndex
from triage.hashsets.search import kernel

BLOCK = 1 << 16
SHA1 = 20
MD5 = 16
HFIND: Final = "hfind -f"
HEAD: Final = """# Results: hash sets

Written by `hashset.py`; how it measures stands in [README.md](README.md#hash-sets)."""

Row = tuple[str, str, str, str]
"""What was measured, the figure, the target and the verdict; the last two are empty where there is no target."""


def main() -> None:
    """Build, look up, and tell what was measured."""
    parser = argparse.ArgumentParser(description="Measure building and looking up in a set of known digests.")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--look-ups", type=int, default=200_000, help="of each kind in each round")
    parser.add_argument("--scratch", type=Path, help="where lists and sets are made (default: the system's place)")
    parser.add_argument("--indexed", type=Path, help="a list of as many rows that hfind has indexed in an earlier run")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("RESULTS-hashset.md"))
    chosen = parser.parse_args()
    begun, load = datetime.now(UTC), os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="bench-hashset-", dir=chosen.scratch) as scratch:
        rows = list(measure(Path(scratch), chosen.rows, chosen.rounds, chosen.look_ups, chosen.indexed))
    chosen.out.write_text(render(rows, begun, load))


def render(rows: Sequence[Row], begun: datetime, load: tuple[float, float, float]) -> str:
    """The results as Markdown."""
    after = os.getloadavg()
    facts = [
        ("date", f"{begun:%Y-%m-%d %H:%M} UTC"),
        *describe(),
        ("load (1, 5, 15 min)", " ".join(f"{each:.2f}" for each in load)),
        ("load at the end", " ".join(f"{each:.2f}" for each in after)),
        ("look-ups", kernel()),
        ("hfind", hfind_version()),
    ]
    figures = table(("figure", "measured", "target", "verdict"), rows, (1, 2))
    return "\n\n".join((HEAD, table(("what", "which"), facts), figures)) + "\n"


def measure(scratch: Path, rows: int, rounds: int, look_ups: int, indexed: Path | None) -> Iterator[Row]:
    """All of it, in ``scratch``."""
    listed, out = scratch / "list.txt", scratch / "bench.hset"
    write_list(listed, rows, SHA1, "")
    yield report("list", f"{rows:,} SHA-1, {listed.stat().st_size / 1e6:,.0f} MB of lines")
    yield from build(listed, out, rows)
    listed.unlink()
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        index = HashIndex.open(out)
        seconds.append(time.perf_counter() - start)
    shown = f"{statistics.median(seconds) * 1e3:.2f} ms ({min(seconds) * 1e3:.2f} – {max(seconds) * 1e3:.2f})"
    yield report("open, of 20 times", shown, "< 10 ms", statistics.median(seconds) < 0.01)
    start = time.process_time()
    index.verify()
    yield report("verify", f"{time.process_time() - start:.2f} s CPU")
    database = indexed or hfind_database(scratch, rows)
    yield from look_up(scratch, index, database, questions(rows, look_ups), rounds)


def build(listed: Path, out: Path, rows: int) -> Iterator[Row]:
    """Build by the command, as a user does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "triage", "hashset", "build", str(listed), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size, memory = out.stat().st_size, after.ru_maxrss * 1024 / 1e6
    yield report("build, wall", f"{wall:.1f} s, {rows / wall:,.0f} rows/s")
    yield report("build, CPU", f"{cpu:.1f} s, {rows / cpu:,.0f} rows/s")
    yield report("build, peak memory", f"{memory:,.0f} MB", "<= 500 MB", memory <= 500)
    yield report("size", f"{size / 1e6:,.1f} MB, {size / rows:.2f} bytes per digest", "<= 24", size / rows <= 24)


def look_up(
    scratch: Path, index: HashIndex, database: Path | None, asked: Sequence[bytes], rounds: int
) -> Iterator[Row]:
    """Single, batch, and hfind, in turn, with the same digests in the same order."""
    texts = [{"sha1": value.hex()} for value in asked]
    lines, told = scratch / "asked.txt", scratch / "told.txt"
    lines.write_text("".join(f"{value[:MD5].hex()}\n" for value in asked))
    ways: dict[str, Callable[[], int | Path]] = {
        "single, by value": lambda: sum(index.find_value("sha1", value) is not None for value in asked),
        "single, by hex of all digests": lambda: sum(index.find(digests) is not None for digests in texts),
        "batch": lambda: sum(match is not None for match in index.find_many("sha1", asked)),
        "batch, listed or not": lambda: int(index.holds_many("sha1", asked).sum()),
    }
    if database is not None:
        ways[HFIND] = lambda: hfind(database, lines, told)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    # The first round brings everything into the system's cache, for all alike, and does not count.
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = cpu_time()
            answer = way()
            spent = cpu_time() - start
            found = answer if isinstance(answer, int) else found_by_hfind(answer)
            if found != len(asked) // 2:
                sys.exit(f"{name} found {found} of {len(asked) // 2}")
            if number:
                rates[name].append(len(asked) / spent)
    for name, values in rates.items():
        single = name.startswith("single")
        yield report(
            f"{name}, look-ups per CPU second", spread(values, ",.0f"), ">= 150,000" if single else "",
            statistics.median(values) >= 150_000 if single else None,
        )  # fmt: skip
    for name, values in rates.items() if HFIND in rates else ():
        if name != HFIND:
            ratios = [ours / theirs for ours, theirs in zip(values, rates[HFIND], strict=True)]
            yield report(f"{name} ÷ hfind", spread(ratios, ".1f"), ">= 20", statistics.median(ratios) >= 20)


def spread(values: Sequence[float], form: str) -> str:
    """Median, lowest and highest."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} – {max(values):{form}})"


def hfind_database(scratch: Path, rows: int) -> Path | None:
    """An MD5 list with hfind's index, or nothing where hfind is missing."""
    if shutil.which("hfind") is None:
        return None
    database = scratch / "list.md5"
    write_list(database, rows, MD5, "  f")
    # Its index is sorted by sort(1), which is to use the same disk.
    environment = {**os.environ, "TMPDIR": str(scratch)}
    subprocess.run(["hfind", "-i", "md5sum", str(database)], check=True, stdout=subprocess.DEVNULL, env=environment)
    return database


def hfind(database: Path, lines: Path, told: Path) -> Path:
    """Look up all lines in one process; where its answers are."""
    with told.open("wb") as stream:
        subprocess.run(["hfind", "-f", str(lines), str(database)], check=True, stdout=stream)
    return told


def found_by_hfind(told: Path) -> int:
    """How many of the answers name an entry."""
    return sum(b"Hash Not Found" not in line for line in told.read_bytes().splitlines())


def hfind_version() -> str:
    """Its own words."""
    if shutil.which("hfind") is None:
        return "not installed"
    return subprocess.run(["hfind", "-V"], check=True, capture_output=True, text=True).stdout.strip()


def write_list(path: Path, rows: int, width: int, after: str) -> None:
    """``rows`` digests as lines, each with ``after`` behind it."""
    left = rows
    with path.open("w") as stream:
        for block in blocks(rows):
            some = block[:left]
            stream.write("".join(f"{value[:width].hex()}{after}\n" for value in some))
            left -= len(some)


def blocks(rows: int) -> Iterator[list[bytes]]:
    """The digests, many at a time."""
    for number in range(-(-rows // BLOCK)):
        data = hashlib.shake_128(b"block %d" % number).digest(BLOCK * SHA1)
        yield [data[at : at + SHA1] for at in range(0, len(data), SHA1)]


def questions(rows: int, count: int) -> list[bytes]:
    """Digests to look up: half of them listed and spread over the list, half not."""
    chance = random.Random(1)
    every = max(1, rows // (count // 2))
    listed: list[bytes] = []
    at = 0
    for block in blocks(rows):
        listed.extend(block[-at % every :: every])
        at += BLOCK
    asked = listed[: count // 2] + [hashlib.sha1(value).digest() for value in listed[: count // 2]]
    chance.shuffle(asked)
    # Made anew, so that they lie in memory in the order in which they are asked for, as hfind's lines do in their file.
    return [bytes.fromhex(value.hex()) for value in asked]


def cpu_time() -> float:
    """User and system time of this process and of those that it waited for, in seconds."""
    # Not os.times(), which counts in hundredths of a second.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def report(name: str, value: str, target: str = "", met: bool | None = None) -> Row:
    """Print one line, and give it back."""
    verdict = "" if met is None else "met" if met else "missed"
    print(f"{name:52} {value:40} {target:12} {verdict}".rstrip(), flush=True)
    return name, value, target, verdict


if __name__ == "__main__":
    main()
