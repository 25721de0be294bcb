"""Pictures that look alike stand together, and what is known of one is said beside it."""

import hashlib
import io
import random
from dataclasses import replace
from pathlib import Path

from PIL import Image

from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.report.pictures import group_count, picture_rows


def picture(seed: int, size: tuple[int, int] = (400, 300), quality: int = 90) -> bytes:
    small = Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(16 * 12 * 3))
    out = io.BytesIO()
    small.resize((400, 300), Image.Resampling.BICUBIC).resize(size).save(out, "JPEG", quality=quality)
    return out.getvalue()


def case_of(tmp_path: Path, files: dict[str, bytes], known: bytes, perceptual: bool) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    listed = tmp_path / "unit.csv"
    listed.write_text(f"sha1\n{hashlib.sha1(known).hexdigest()}\n")
    chosen = replace(profile("triage"), perceptual=perceptual)
    scan(ScanRequest((folder,), tmp_path / "case", chosen, workers=1, hashsets=(listed,)))
    return tmp_path / "case"


FILES = {
    "a.jpg": picture(1), "b small.jpg": picture(1, (200, 150)), "c.jpg": picture(2), "d copy of c.jpg": picture(2),
    "e worse.jpg": picture(1, quality=40), "f.jpg": picture(3), "plain.png": b"",
}  # fmt: skip


def plain() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40)).save(out, "PNG")
    return out.getvalue()


def test_pictures_stand_in_groups_with_what_is_known_of_each(tmp_path: Path) -> None:
    case = case_of(tmp_path, FILES | {"plain.png": plain()}, FILES["f.jpg"], perceptual=True)

    with CaseStore.open(case) as store:
        rows = list(picture_rows(store))
        left = group_count(store)

    names = [[str(row["path"]).lstrip("/") for row in rows if row["group"] == number] for number in range(1, 6)]
    assert names == [
        ["a.jpg", "b small.jpg", "e worse.jpg"], ["c.jpg", "d copy of c.jpg"], ["f.jpg"], ["plain.png"], [],
    ]  # fmt: skip
    assert [row["known"] for row in rows if row["path"] == "/f.jpg"] == ["exact unit.csv (alert)"]
    assert {row["group_size"] for row in rows if row["group"] == 1} == {3}
    assert left == 4


def test_without_perceptual_digests_only_equal_contents_stand_together(tmp_path: Path) -> None:
    case = case_of(tmp_path, FILES | {"plain.png": plain()}, FILES["a.jpg"], perceptual=False)

    with CaseStore.open(case) as store:
        sizes = sorted(int(str(row["group_size"])) for row in picture_rows(store))

    assert sizes == [1, 1, 1, 1, 1, 2, 2]
