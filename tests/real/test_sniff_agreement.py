"""How the signature table agrees with libmagic on real files, and how much it leaves to libmagic."""

from collections import Counter
from pathlib import Path

from triage.engine.libmagic import type_by_all_tests, type_by_libmagic
from triage.engine.sniff import by_table

REFINED = {  # where the table says more than libmagic, or the same in other words
    ("application/x-ewf", "application/octet-stream"),
    ("application/x-luks", "application/octet-stream"),
    ("application/x-bplist", "application/octet-stream"),
    ("application/x-plist", "text/xml"),
    ("application/json", "text/plain"),
    ("inode/x-empty", "application/octet-stream"),
    ("text/plain", "text/csv"),
}


def test_the_table_never_contradicts_libmagic(real: Path) -> None:
    counts: Counter[str] = Counter()
    contradictions = []
    for path in sorted(path for path in real.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            head = stream.read(65_536)
        mine, theirs = by_table(head, path.stat().st_size), type_by_all_tests(head)
        same = mine == theirs
        known = (mine, theirs) in REFINED
        counts["left to libmagic" if not mine else "same" if same else "refined" if known else "different"] += 1
        if mine and not same and not known:
            contradictions.append((str(path.relative_to(real)), mine, theirs))
    print(dict(counts))  # noqa: T201 - figures to read with -s

    assert contradictions == []
    assert counts["left to libmagic"] < 0.2 * counts.total()


def test_the_short_database_answers_as_the_whole_one(real: Path) -> None:
    other = []
    for path in sorted(path for path in real.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            head = stream.read(65_536)
        for start in (0, 512, 4096):  # also pieces that begin with nothing known
            piece = head[start : start + 8192]
            if 0 in piece and type_by_libmagic(piece) != type_by_all_tests(piece):
                other.append((str(path.relative_to(real)), start, type_by_libmagic(piece), type_by_all_tests(piece)))

    assert other == []
