"""Hash sets of a scan are built once, into the case, and every plugin that takes some is given them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.errors import CaseError, UsageError
from triage.records import EXCLUDE, Grade

KNOWN = b"a neutral text that somebody has listed"
MD5 = hashlib.md5(KNOWN).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "known.txt").write_bytes(KNOWN)
    (folder / "other.txt").write_bytes(b"another text")
    return folder


def listed(tmp_path: Path, text: str, name: str = "unit.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def request(folder: Path, tmp_path: Path, **choices: object) -> ScanRequest:
    return ScanRequest((folder,), tmp_path / "case", profile("triage"), workers=1, **choices)  # type: ignore[arg-type]


def test_a_list_is_built_into_the_case_and_named_with_its_source(folder: Path, tmp_path: Path) -> None:
    source = listed(tmp_path, f"md5,category\n{MD5},1\n")

    scan(request(folder, tmp_path, hashsets=(source,), scheme="vic-us"))
    with CaseStore.open(tmp_path / "case") as store:
        (known,) = store.manifest()["hash sets"]
        inputs = store.manifest()["inputs"]
        (hit,) = (found.hit for found in store.hits())

    assert (known["name"], known["scheme"], known["digests"]) == ("unit.csv", "vic-us", {"md5": 1})
    assert known["lists"][0]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert all(path.startswith("case:hashsets/") for path in inputs["hash.known"])
    assert (hit.grade, hit.category, hit.disposition) == (Grade.EXACT, "1", "illegal-candidate")


def test_the_same_category_means_another_thing_in_another_scheme(folder: Path, tmp_path: Path) -> None:
    source = listed(tmp_path, f"md5,category\n{MD5},0\n")
    found = {}
    for number, scheme in enumerate(("vic-us", "dhs", "")):
        wanted = ScanRequest(
            (folder,), tmp_path / f"case-{number}", profile("triage"), workers=1, hashsets=(source,), scheme=scheme
        )
        scan(wanted)
        with CaseStore.open(wanted.case) as store:
            found[scheme] = [hit.hit.disposition for hit in store.hits()]

    assert found == {"vic-us": [EXCLUDE], "dhs": ["alert"], "": ["alert"]}


def test_a_case_goes_on_with_the_same_lists_and_not_with_others(folder: Path, tmp_path: Path) -> None:
    source = listed(tmp_path, f"md5\n{MD5}\n")
    scan(request(folder, tmp_path, hashsets=(source,)))

    moved = listed(tmp_path, source.read_text(), "moved.csv")
    scan(request(folder, tmp_path, hashsets=(source,)))
    with pytest.raises(CaseError, match="scanned with other"):
        scan(request(folder, tmp_path, hashsets=(moved,), scheme="vic-us"))


def test_a_list_that_cannot_be_used_leaves_no_case(folder: Path, tmp_path: Path) -> None:
    source = listed(tmp_path, "no digest at all\n")

    with pytest.raises(UsageError, match=r"unit\.csv"):
        scan(request(folder, tmp_path, hashsets=(source,)))

    assert not (tmp_path / "case" / "case.sqlite").exists()


def test_nothing_is_built_in_a_folder_that_holds_something_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "letter.txt").write_text("mine")

    with pytest.raises(CaseError, match="not empty"):
        scan(request(folder, tmp_path, hashsets=(listed(tmp_path, f"md5\n{MD5}\n"),)))

    assert [path.name for path in (tmp_path / "case").iterdir()] == ["letter.txt"]


def test_perceptual_digests_are_made_where_a_set_holds_such_or_somebody_asks(folder: Path, tmp_path: Path) -> None:
    near = listed(tmp_path, f"pdq\n{'0f' * 32}\n")
    ran = {}
    plain = profile("triage")
    asked = replace(plain, perceptual=True)
    for name, chosen, sets in (("no", plain, ()), ("asked", asked, ()), ("set", plain, (near,))):
        wanted = ScanRequest((folder,), tmp_path / f"case-{name}", chosen, workers=1, hashsets=sets)
        scan(wanted)
        with CaseStore.open(wanted.case) as store:
            manifest = store.manifest()
        ran[name] = "picture.pdq" in {plugin["id"] for plugin in manifest["plugins"]}
        assert ("picture.pdq" in manifest["plugins left out"]) is not ran[name]

    assert ran == {"no": False, "asked": True, "set": True}
