"""Scans the image of `make_planted.py` and writes what was found of the known pictures in it, and what was not.

    python benchmarks/planted.py DIR [--case DIR] [--out FILE]

Ends with 1 if a file was said to match exactly that is no copy, else with 0. No time is measured.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.figures import table
from bench.machine import commit
from bench.planting import BURSTS, Truth, read_truth
from bench.scoring import Score, render, score

from triage.case.store import CaseStore
from triage.errors import COMPLETE, INCOMPLETE
from triage.hashsets.pdq import PDQ_NAME
from triage.records import PictureDigest

HEAD = """# Planted pictures

Written by `planted.py` over the image of `make_planted.py`: known pictures, each planted once, among other files.
Each picture counts once, with its strongest right hit; hits on what is no copy of the picture they name are *wrong*.
The scan is given a list of digests, and an index of the blocks of the same pictures (`triage hashset fragments`).
"Deleted" files are deleted, and nothing was written after; those in unallocated space have no name and no record.
Pictures of the same scene a moment later are no copies, so hits on them count as wrong, though a person may want them.
The image is made up: it shows which ways of hiding are seen through, not what share of a case will be found."""
KNOWN, HELD = "known.csv", "held.hblk"
LIBRARIES = ("forensic-triage", "pytsk3", "pillow", "numpy")


def main() -> int:
    """Scan, compare, write; the code to end with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where make_planted.py wrote the image")
    parser.add_argument("--case", type=Path, help="keep the case there (default: it is removed)")
    parser.add_argument("--profile", default="full")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("PLANTED.md"))
    chosen = parser.parse_args()
    began = datetime.now(UTC)
    planted = read_truth(chosen.folder / "truth.jsonl")
    others = frozenset((chosen.folder / "others.txt").read_text().splitlines())
    with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
        case = chosen.case or Path(scratch) / "case"
        hits = scan(chosen.folder, case, chosen.profile)
        nearest = nearest_other(case, planted, others)
    result = score(planted, others, hits, {KNOWN, HELD})
    facts = [
        ("date", f"{began:%Y-%m-%d %H:%M} UTC"),
        ("commit", commit()),
        ("profile", chosen.profile),
        ("Python", sys.version.split()[0]),
        *((name, version(name)) for name in LIBRARIES),
        ("perceptual digest", PDQ_NAME),
        ("image", f"{len(planted)} planted pictures, {len(others):,} other files"),
    ]
    near = f"Of the pictures of other scenes, the one nearest to a known one is {nearest} bits from it (not turned)."
    parts = [HEAD, table(("what", "which"), facts), render(result), near, *missed(result)]
    text = "\n\n".join(parts) + "\n"
    chosen.out.write_text(text)
    print(text)
    return 1 if result.wrong_exact else 0


def scan(folder: Path, case: Path, profile: str) -> list[Mapping[str, Any]]:
    """Scan the image as a user does, and list the hits.

    Raises:
        RuntimeError: the scan failed.
    """
    triage = (sys.executable, "-m", "triage")
    image, known = folder / "planted.raw", folder / KNOWN
    held = folder / HELD
    subprocess.run([*triage, "hashset", "fragments", folder / "held", "--out", held], check=True, capture_output=True)
    options = ("--case", case, "--hashset", known, "--fragments", held, "--profile", profile, "--quiet")
    done = subprocess.run([*triage, "scan", image, *options], capture_output=True, text=True)
    if done.returncode not in (COMPLETE, INCOMPLETE):
        raise RuntimeError(f"triage scan ended with {done.returncode}: {done.stderr}")
    listed = subprocess.run([*triage, "hits", case, "--format", "jsonl"], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in listed.stdout.splitlines()]


def nearest_other(case: Path, planted: Sequence[Truth], others: frozenset[str]) -> int:
    """The least distance, in bits, between a known picture and one of another scene."""
    known = [int(one.pdq, 16) for one in planted]
    unlike = {path for path in others if not path.startswith(f"/{BURSTS}/")}
    with CaseStore.open(case) as store:
        found = (stored.record for stored in store.records("picture_digest"))
        values = [int(one.value, 16) for one in found if isinstance(one, PictureDigest) and one.source.path in unlike]
    return min((value ^ other).bit_count() for value in values for other in known)


def missed(result: Score) -> list[str]:
    """A list of what was not found."""
    rows = [(one.way, place(one)) for one in result.missed()]
    return ["Missed:", table(("planted", "where"), rows)] if rows else []


def place(one: Truth) -> str:
    """Where it was planted."""
    return f"`{one.path}`" if one.path else f"{one.length:,} bytes at {one.offset:,}"


if __name__ == "__main__":
    sys.exit(main())
