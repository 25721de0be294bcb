"""Damaged and encrypted evidence on the command line: a clear end, an exit code, a notice, never a traceback."""

import bz2
import gzip
import hashlib
import json
import lzma
import subprocess
import sys
import time
from pathlib import Path

import pytest

from . import tsk_images

MINUTE = 60

PLAIN = (
    "dfvfs/test_data/bogus.001",
    "dfvfs/test_data/corrupt1.gz",
    "ewf-forensic/core/tests/data/fuzz-crash-parse_segment-add-overflow.E01",
)
PACKED = (
    "deb/e2fsprogs/tests/*/image.gz",
    "deb/exfatprogs/tests/*/exfat.img.tar.xz",
    "deb/dosfstools/tests/*.xxd",
)


def triage(*words: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "triage", *map(str, words)], capture_output=True, text=True, errors="replace", timeout=90
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def notices(case: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in triage("notices", case, "--format", "jsonl").stdout.splitlines()]


def damaged(real: Path, scratch: Path) -> list[tuple[str, Path]]:
    found = [(name, real / name) for name in PLAIN]
    for pattern in PACKED:
        for packed in sorted(real.glob(pattern)):
            found += tsk_images.unpack(packed, str(packed.relative_to(real)), scratch)
    malformed = scratch / "afl9.vmdk"
    malformed.write_bytes(bz2.decompress((real / "deb/qemu/sample_images/afl9.vmdk.bz2").read_bytes()))
    return [*found, ("deb/qemu/sample_images/afl9.vmdk", malformed)]


def test_every_damaged_image_ends_within_a_minute_and_says_so(real: Path, tmp_path: Path) -> None:
    images = damaged(real, tmp_path)
    slowest = 0.0
    for number, (label, path) in enumerate(images):
        case = tmp_path / f"case-{number}"
        began = time.monotonic()
        done = triage("scan", path, "--case", case, "--quiet", "--workers", "1")
        took = time.monotonic() - began
        slowest = max(slowest, took)
        found = notices(case) if (case / "case.sqlite").exists() else []
        sys.stdout.write(f"{label}: exit {done.returncode}, {len(found)} notices, {took:.1f} s\n")

        assert took < MINUTE, label
        assert done.returncode in (0, 3, 4), (label, done.stderr)
        assert found or done.returncode == 4, label
    sys.stdout.write(f"{len(images)} images, the slowest took {slowest:.1f} s\n")

    assert len(images) > 30


@pytest.mark.parametrize(
    ("name", "word"),
    [("derived/dev-truncated.E01", "truncated"), ("derived/dev-bitflip.E01", "damaged")],
)
def test_a_damaged_e01_is_reported_as_such_and_examined_as_far_as_can_be(
    real: Path, tmp_path: Path, name: str, word: str
) -> None:
    done = triage("scan", real / name, "--case", tmp_path / "case", "--quiet")
    kinds = {row["kind"] for row in notices(tmp_path / "case")}

    assert done.returncode == 3
    assert word in kinds
    assert int(done.stdout.split()[0].replace(",", "")) > 0


ENCRYPTED = (
    ("luks1.raw", "dfvfs/test_data/luks1.raw", "luksde-TEST"),
    ("apfs.dmg", "dfvfs/test_data/apfs_encrypted.dmg", "apfs-TEST"),
    ("bitlocker-to-go.img", "derived/bitlk/bitlk-togo-aes-xts-128.img.xz", "anaconda"),
    ("bitlocker.img", "derived/bitlk/bitlk-aes-xts-128.img.xz", "anaconda"),
    ("luks2.bin", "pypi/dissect_fve-4.6/tests/_data/luks2/aes-xts-plain64.bin.gz", "password"),
)


@pytest.mark.parametrize(("file", "name", "password"), ENCRYPTED)
def test_encrypted_evidence_without_with_a_wrong_and_with_its_password(
    real: Path, tmp_path: Path, file: str, name: str, password: str
) -> None:
    image = tmp_path / file
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(Path(name).suffix, open)
    with opener(real / name, "rb") as packed:
        image.write_bytes(packed.read())
    before = hashlib.sha256(image.read_bytes()).hexdigest()

    without = triage("scan", image, "--case", tmp_path / "without", "--quiet")
    wrong = triage("scan", image, "--case", tmp_path / "wrong", "--quiet", "--password", "not this one")
    right = triage("info", image, "--password", password, "--format", "jsonl")

    assert without.returncode == 3
    found = [row for row in notices(tmp_path / "without") if row["kind"] == "encrypted"]
    assert found
    assert all("not examined" in row["message"] for row in found)
    assert wrong.returncode == 5
    assert wrong.stderr.startswith("triage: ")
    states = {json.loads(line)["state"] for line in right.stdout.splitlines()}
    assert "locked" not in states
    assert states & {"unlocked", "unrecognised", "open"}
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
