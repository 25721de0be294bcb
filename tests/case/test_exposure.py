"""What has to be looked at is counted by content; a set of harmless files takes out what no other set objects to."""

import hashlib
from pathlib import Path

from PIL import Image

from triage.case.exposure import exposure
from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.hashsets.build import BuildOptions, build_set
from triage.hashsets.index_format import Role


def picture(path: Path, colour: int) -> str:
    Image.new("RGB", (20, 20), (colour, 40, 90)).save(path)
    return hashlib.sha1(path.read_bytes()).hexdigest()


def test_harmless_contents_are_taken_out_unless_another_set_lists_them(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    digests = [picture(folder / f"{number}.png", number) for number in range(4)]
    (folder / "copy of 3.png").write_bytes((folder / "3.png").read_bytes())
    (folder / "letter.txt").write_text("a neutral letter")
    harmless, unit = tmp_path / "harmless.csv", tmp_path / "unit.csv"
    harmless.write_text("sha1\n" + "\n".join(digests[:2]) + "\n")
    unit.write_text(f"sha1\n{digests[1]}\n")
    build_set([harmless], tmp_path / "harmless.hset", BuildOptions(role=Role.EXCLUDE))
    request = ScanRequest(
        (folder,), tmp_path / "case", profile("triage"), workers=1, hashsets=(tmp_path / "harmless.hset", unit)
    )

    scan(request)
    with CaseStore.open(request.case) as store:
        seen = exposure(store)
        hits = [hit.hit.disposition for hit in store.hits()]
        pressing = [hit.hit.name for hit in store.hits(excluded=False)]

    assert (seen.files, seen.distinct, seen.excluded, seen.left) == (5, 4, 1, 3)
    assert seen.by_set == (("harmless", 1),)
    assert sorted(hits) == ["alert", "exclude", "exclude"]
    assert pressing == ["unit.csv"]
