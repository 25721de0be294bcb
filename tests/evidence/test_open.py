"""The one entrance to evidence: labels, errors, and the same answer every time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from recipes.disks import SECTOR, at, luks1, table, toy

from triage.errors import CredentialError, EvidenceError
from triage.evidence.entry import Entry, Keys, OpenOptions
from triage.evidence.open import evidence_label, open_evidence


def test_labels_are_file_names_made_unique() -> None:
    taken: list[str] = []
    for folder in ("a", "b", "c"):
        taken.append(evidence_label(Path(folder) / "disk.E01", taken))

    assert taken == ["disk.E01", "disk.E01 (2)", "disk.E01 (3)"]
    assert evidence_label(Path("/"), ()) == "/"
    assert evidence_label(Path(), ()) == Path.cwd().name


def test_an_image_of_a_partitioned_disk(tmp_path: Path) -> None:
    image = tmp_path / "disk.dd"
    image.write_bytes(at(100 * SECTOR, (0, table((0, 0x83, 10, 20)))))

    evidence = open_evidence(image, "disk", OpenOptions())

    assert (evidence.label, evidence.type, evidence.size) == ("disk", "raw", 100 * SECTOR)
    assert [v.id for v in evidence.volumes] == ["u1", "p1", "u2"]
    assert all(n.source.evidence == "disk" for n in evidence.notices)


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")

    evidence = open_evidence(tmp_path, "folder", OpenOptions())
    entries = [e for fs in evidence.file_systems().values() for e in fs.walk() if isinstance(e, Entry)]

    assert "/note.txt" in [entry.path for entry in entries]


def test_what_is_not_there_is_empty_or_no_file_is_a_clear_error(tmp_path: Path) -> None:
    empty, pipe = tmp_path / "empty.dd", tmp_path / "pipe"
    empty.touch()
    os.mkfifo(pipe)

    for path in (tmp_path / "missing.E01", empty, pipe, Path("/dev/null")):
        with pytest.raises(EvidenceError, match=path.name):
            open_evidence(path, "x", OpenOptions())


def test_a_file_of_something_else_is_opened_and_said_not_to_be_recognised(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear all, " * 5000)

    evidence = open_evidence(file, "letter", OpenOptions())

    assert [v.state for v in evidence.volumes] == ["unrecognised"]
    assert [n.kind_text for n in evidence.notices] == ["unsupported"]


def test_a_wrong_password_ends_in_a_credential_error(tmp_path: Path) -> None:
    image = tmp_path / "sealed.dd"
    image.write_bytes(luks1(toy(40 * SECTOR), b"secret"))

    with pytest.raises(CredentialError, match="sealed"):
        open_evidence(image, "sealed", OpenOptions(Keys(("wrong",))))


def test_another_process_finds_the_same_volumes(tmp_path: Path) -> None:
    image = tmp_path / "disk.dd"
    image.write_bytes(
        at(
            300 * SECTOR,
            (0, table((0, 0x83, 10, 60), (0, 5, 100, 100))),
            (10 * SECTOR, luks1(toy(40 * SECTOR), b"s")),
            (100 * SECTOR, table((0, 0x83, 1, 20))),
        )
    )
    program = (
        "import sys; from pathlib import Path; from triage.evidence.entry import Keys, OpenOptions;"
        "from triage.evidence.open import open_evidence;"
        "e = open_evidence(Path(sys.argv[1]), 'd', OpenOptions(Keys(('s',))));"
        "print([(v.id, v.type, v.offset, v.size, v.state, v.description) for v in e.volumes], e.notices)"
    )

    runs = [
        subprocess.run([sys.executable, "-c", program, str(image)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert "p1/luks" in runs[0]
    assert runs[0] == runs[1]


def test_opening_changes_neither_content_nor_times(tmp_path: Path) -> None:
    image = tmp_path / "disk.dd"
    image.write_bytes(at(100 * SECTOR, (0, table((0, 0x83, 10, 20)))))
    os.utime(image, ns=(1_000_000_000, 2_000_000_000))
    before = image.stat()

    open_evidence(image, "disk", OpenOptions())

    after = image.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.dd"]
