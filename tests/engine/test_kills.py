"""Twenty times a scan is killed at a random moment; every case ends as one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triage.case.store import CaseStore
from triage.report.exports import write_exports

KILLS = 20
LISTS = ("known.vics.json", "known.csv", "known.md5")

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by way of /proc")


def command(fixtures: Path, case: Path) -> list[str]:
    lists = [word for name in LISTS for word in ("--hashset", str(fixtures / name))]
    image = str(fixtures / "laptop.E01")
    return [sys.executable, "-m", "triage", "scan", image, "--case", str(case), "--quiet", "--workers", "2", *lists]


def group(leader: int) -> list[int]:
    """The other processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and int(path.parent.name) != leader:
            found.append(int(path.parent.name))
    return found


def exports(case: Path, to: Path) -> dict[str, bytes]:
    with CaseStore.open(case) as store:
        write_exports(store, to)
    return {path.name: path.read_bytes() for path in to.iterdir() if path.name != "custody.txt"}


def kill(process: subprocess.Popen[bytes], chance: random.Random) -> str:
    """End the coordinator, all of the tree, or one of the others; which."""
    others = group(process.pid)
    victim = chance.choice(["tree", "coordinator", "other"] if others else ["tree"])
    if victim == "tree":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        try:
            os.kill(process.pid if victim == "coordinator" else chance.choice(others), signal.SIGKILL)
        except ProcessLookupError:
            return "missed"
    return victim


def test_twenty_kills_at_random_moments_change_nothing(fixtures: Path, tmp_path: Path) -> None:
    whole, seconds = tmp_path / "whole", time.monotonic()
    code = subprocess.run(command(fixtures, whole), capture_output=True).returncode
    seconds = time.monotonic() - seconds
    expected = exports(whole, tmp_path / "expected")
    chance = random.Random(20)
    killed: list[str] = []
    case, cases = tmp_path / "case-0", 1
    while len(killed) < KILLS:
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(
                command(fixtures, case), start_new_session=True, stdout=subprocess.DEVNULL, stderr=said
            )
        time.sleep(chance.uniform(0.2, seconds))
        if process.poll() is None:
            killed.append(kill(process, chance))
        ended = process.wait()
        if ended == code:
            assert exports(case, tmp_path / f"exports-{cases}") == expected, killed
            case, cases = tmp_path / f"case-{cases}", cases + 1
        else:
            assert ended == -signal.SIGKILL, (killed, (tmp_path / "said").read_text())
    done = subprocess.run(command(fixtures, case), capture_output=True)
    assert done.returncode == code, done.stderr
    assert exports(case, tmp_path / "exports-0") == expected
    assert not (case / "work").exists()
    assert {"tree", "coordinator", "other"} <= set(killed)
