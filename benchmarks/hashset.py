"""Builds a set of many SHA-1 digests and looks digests up in it, beside `hfind` of The Sleuth Kit on its own index.

    python benchmarks/hashset.py [--rows 20000000] [--rounds 5] [--scratch DIR]

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
from collections.abc import Callable, Iterator
from pathlib import Path

from triage.hashsets.index import HashIndex

BLOCK = 1 << 16
SHA1 = 20
MD5 = 16


def main() -> None:
    """Build, look up, and print what was measured."""
    parser = argparse.ArgumentParser(description="Measure building and looking up in a set of known digests.")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--look-ups", type=int, default=200_000, help="of each kind in each round")
    parser.add_argument("--scratch", type=Path, help="where lists and sets are made (default: the system's place)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-hashset-", dir=chosen.scratch) as scratch:
        measure(Path(scratch), chosen.rows, chosen.rounds, chosen.look_ups)


def measure(scratch: Path, rows: int, rounds: int, look_ups: int) -> None:
    """All of it, in ``scratch``."""
    listed, out = scratch / "list.txt", scratch / "bench.hset"
    write_list(listed, rows, SHA1, "")
    report("rows", f"{rows:,} SHA-1, {listed.stat().st_size / 1e6:,.0f} MB of lines")
    build(listed, out, rows)
    listed.unlink()
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        index = HashIndex.open(out)
        seconds.append(time.perf_counter() - start)
    report("open", f"{statistics.median(seconds) * 1e3:.2f} ms (median of 20, highest {max(seconds) * 1e3:.2f} ms)")
    start = time.process_time()
    index.verify()
    report("verify", f"{time.process_time() - start:.2f} s CPU")
    look_up(scratch, index, rows, rounds, look_ups)


def build(listed: Path, out: Path, rows: int) -> None:
    """Build by the command, as a user does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "triage", "hashset", "build", str(listed), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = out.stat().st_size
    report("build", f"{wall:.1f} s ({rows / wall:,.0f} rows/s), {cpu:.1f} s CPU ({rows / cpu:,.0f} rows/s)")
    report("peak memory", f"{after.ru_maxrss / 1e3:,.0f} MB")
    report("size", f"{size / 1e6:,.1f} MB, {size / rows:.2f} bytes per digest")


def look_up(scratch: Path, index: HashIndex, rows: int, rounds: int, look_ups: int) -> None:
    """Single, batch, and hfind, in turn, with the same digests."""
    asked = questions(rows, look_ups)
    texts = [{"sha1": value.hex()} for value in asked]
    database, lines = hfind_database(scratch, rows), scratch / "asked.txt"
    lines.write_text("".join(f"{value[:MD5].hex()}\n" for value in asked))
    ways: dict[str, Callable[[], int]] = {
        "single, by value": lambda: sum(index.find_value("sha1", value) is not None for value in asked),
        "single, by hex of all digests": lambda: sum(index.find(digests) is not None for digests in texts),
        "batch, listed or not": lambda: int(index.holds_many("sha1", asked).sum()),
        "batch": lambda: sum(match is not None for match in index.find_many("sha1", asked)),
    }
    if database is not None:
        ways["hfind -f"] = lambda: hfind(database, lines)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = cpu_time()
            found = way()
            rates[name].append(len(asked) / (cpu_time() - start))
            if found != look_ups // 2:
                sys.exit(f"{name} found {found} of {look_ups // 2}")
    for name, values in rates.items():
        report(
            name, f"{statistics.median(values):,.0f} look-ups per CPU second ({min(values):,.0f} - {max(values):,.0f})"
        )
        if database is not None and name != "hfind -f":
            ratios = [ours / theirs for ours, theirs in zip(values, rates["hfind -f"], strict=True)]
            low, high = min(ratios), max(ratios)
            report("", f"{statistics.median(ratios):.1f} times hfind in the same round ({low:.1f} - {high:.1f})")


def hfind_database(scratch: Path, rows: int) -> Path | None:
    """An MD5 list with hfind's index, or nothing where hfind is missing."""
    if shutil.which("hfind") is None:
        report("hfind", "not installed")
        return None
    database = scratch / "list.md5"
    write_list(database, rows, MD5, "  f")
    start = cpu_time()
    # Its index is sorted by sort(1), which is to use the same disk.
    environment = {**os.environ, "TMPDIR": str(scratch)}
    subprocess.run(["hfind", "-i", "md5sum", str(database)], check=True, stdout=subprocess.DEVNULL, env=environment)
    size = sum(path.stat().st_size for path in scratch.glob("list.md5*"))
    report("hfind -i", f"{cpu_time() - start:.1f} s CPU, list and index {size / 1e6:,.0f} MB")
    return database


def hfind(database: Path, lines: Path) -> int:
    """Look up all lines at once; the number found."""
    done = subprocess.run(["hfind", "-f", str(lines), str(database)], check=True, capture_output=True)
    return sum(b"Hash Not Found" not in line for line in done.stdout.splitlines())


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
    return asked


def cpu_time() -> float:
    """User and system time of this process and of those that it waited for."""
    return sum(os.times()[:4])


def report(name: str, value: str) -> None:
    """Print one line."""
    print(f"{name:30} {value}", flush=True)


if __name__ == "__main__":
    main()
