"""Lists of known files are read in every format that units exchange, and what cannot be used is told."""

import hashlib
import json
from pathlib import Path

import pytest

from triage.hashsets.lists import HashList, load_list

MD5 = hashlib.md5(b"neutral").hexdigest()
SHA1 = hashlib.sha1(b"neutral").hexdigest()
SHA256 = hashlib.sha256(b"neutral").hexdigest()
OTHER = hashlib.md5(b"other").hexdigest()
CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{}/$metadata#{}"


def load(folder: Path, content: str | bytes, name: str = "list.txt") -> HashList:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_list(path)


@pytest.mark.parametrize(
    "content",
    [
        f"{MD5}\n{SHA1}\n{SHA256}\n",
        f"\ufeff# a comment\r\n\r\n{MD5.upper()}\r\n{SHA1}\r\n{SHA256}\r\n",
        f"{MD5}  a name.jpg\n{SHA1} *binary.jpg\n\\{SHA256}  odd\\nname\n",
        f"MD5 (a (1).jpg) = {MD5}\nSHA1 (b) = {SHA1}\nSHA256 (c) = {SHA256}\n",
        f"md5,sha1,sha256\n{MD5},{SHA1},{SHA256}\n",
        f'"SHA-256";"MD5_Hash";"SHA-1"\n"{SHA256}";"0x{MD5}";{SHA1}\n',
        f"hash\tname\n{MD5}\tx\n{SHA1}\ty\n{SHA256}\tz\n",
        f"{MD5}\n{SHA1}\n{SHA256}\n".encode("utf-16"),
    ],
)
def test_each_way_to_write_digests_is_read(tmp_path: Path, content: str | bytes) -> None:
    loaded = load(tmp_path, content)

    assert loaded.counts == {"md5": 1, "sha1": 1, "sha256": 1}
    assert loaded.rejected == 0
    assert loaded.sha256 == hashlib.sha256((tmp_path / "list.txt").read_bytes()).hexdigest()


def test_the_strongest_digest_that_both_sides_have_is_named(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"md5,sha1\n{MD5},{SHA1}\n")
    both = loaded.find({"md5": MD5, "sha1": SHA1, "sha256": SHA256})
    weak = loaded.find({"md5": MD5})

    assert both is not None and (both.algorithm, both.digest) == ("sha1", SHA1)
    assert weak is not None and weak.algorithm == "md5"
    assert loaded.find({"md5": OTHER, "sha256": SHA256}) is None
    assert loaded.find({}) is None


def test_the_publishers_category_and_size_are_kept_as_they_are(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"MD5,Category,File Size\n{MD5},B-2,\n{OTHER},,1234\n")
    first, second = loaded.find({"md5": MD5}), loaded.find({"md5": OTHER})

    assert first is not None and (first.category, first.listed_size) == ("B-2", None)
    assert second is not None and (second.category, second.listed_size) == ("", 1234)


def test_the_same_digest_twice_keeps_what_both_entries_say(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"md5,category\n{MD5},2\n{MD5},1\n{MD5},2\n{MD5},\n")
    match = loaded.find({"md5": MD5})

    assert loaded.counts == {"md5": 1}
    assert match is not None and match.category == "1 | 2"


def test_rows_that_cannot_be_used_are_counted_with_reasons(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"md5,note,size\n{MD5},ok,1\nnonsense,x,2\n{'g' * 32},x,3\n,,\n{OTHER}\n")

    assert loaded.counts == {"md5": 2}
    assert loaded.rejected == 3
    assert loaded.reasons[0].startswith("line 3")
    assert "no digest" in loaded.reasons[2]


def test_many_bad_rows_are_counted_but_only_some_are_quoted(tmp_path: Path) -> None:
    loaded = load(tmp_path, MD5 + "\n" + "words\n" * 500)

    assert loaded.rejected == 500
    assert len(loaded.reasons) == 20


@pytest.mark.parametrize(
    "nothing", [hashlib.md5().hexdigest(), hashlib.sha1().hexdigest(), hashlib.sha256().hexdigest(), "0" * 32, "f" * 64]
)
def test_digests_of_nothing_are_dropped(tmp_path: Path, nothing: str) -> None:
    loaded = load(tmp_path, f"{OTHER}\n{nothing}\n")

    assert loaded.counts == {"md5": 1}
    assert "empty file" in loaded.reasons[0]


def vics(kind: str, value: object, profile: str = "US") -> str:
    return json.dumps({"@odata.context": CONTEXT.format(profile, kind), "value": value})


def test_a_vics_media_list_is_read_with_its_scheme(tmp_path: Path) -> None:
    media = [
        {"MediaID": 1, "Category": 1, "MD5": MD5.upper(), "SHA1": SHA1, "MediaSize": 7, "IsPrecategorized": "false"},
        {"MediaID": 2, "MD5": OTHER, "MediaSize": "12", "Category": None, "Series": {"odd": True}},
        {"MediaID": 3, "Category": 2},
        {"MediaID": 4, "MD5": MD5, "Category": 2},
        "not an object",
    ]
    loaded = load(tmp_path, "\ufeff" + vics("Media", media), "set.json")
    first, second = loaded.find({"md5": MD5}), loaded.find({"md5": OTHER})

    assert (loaded.format, loaded.scheme) == ("VICS 2.0 #Media", "VICS 2.0 US")
    assert loaded.counts == {"md5": 2, "sha1": 1}
    assert first is not None and (first.category, first.listed_size, first.scheme) == ("1 | 2", 7, "VICS 2.0 US")
    assert second is not None and (second.category, second.listed_size) == ("", 12)
    assert loaded.reasons == ["media 3: no digest", "media 5: not an object"]


def test_a_vics_case_export_and_an_old_version_are_read(tmp_path: Path) -> None:
    cases = load(tmp_path, vics("Cases", [{"CaseNumber": "1", "Media": [{"MD5": MD5, "Category": 3}]}], "UK"))
    old = {
        "odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media",
        "value": [{"MD5": MD5, "AlternativeHashes": [{"MD5": MD5, "HashName": "SHA1", "HashValue": SHA1}]}],
    }
    older = load(tmp_path, json.dumps(old))

    assert (cases.scheme, cases.counts) == ("VICS 2.0 UK", {"md5": 1})
    assert (older.scheme, older.counts) == ("VICS 1.3", {"md5": 1, "sha1": 1})


def test_an_icse_export_with_ragged_rows_is_read(tmp_path: Path) -> None:
    header = (
        "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;"
        "Series name;Number of submissions;File Available;Media Type;Baseline"
    )
    loaded = load(tmp_path, f"{header}\n{MD5};{SHA1};;1;yes;no;no;;2;yes;Image;Yes\n{OTHER};\n")
    match = loaded.find({"md5": MD5})

    assert match is not None and (match.scheme, match.category) == ("ICSE", "Yes")
    assert loaded.counts == {"md5": 2, "sha1": 1}


def test_a_row_that_starts_with_a_hash_mark_inside_a_cell_is_no_comment(tmp_path: Path) -> None:
    loaded = load(tmp_path, f'name,md5\n"a\n#b",{MD5}\n#c,{OTHER}\n')

    assert loaded.counts == {"md5": 2}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no usable digest"),
        (b"only words\nand more\n", "2 rows refused"),
        (b"HASH\r\n\xff\0" + bytes(2000), "binary"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "binary"),
        (b'{"value": []}', "Project VIC"),
        (vics("Media", []).encode(), "no usable digest"),
        (vics("People", []).encode(), "#People"),
        (vics("Media", [{"MD5": MD5}] * 9)[:-40].encode(), "breaks off"),
        (vics("Media", [{"MD5": MD5}]).encode().replace(b"[{", b"[}"), "malformed"),
    ],
)
def test_what_is_no_list_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        load(tmp_path, content)

    assert "list.txt" in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        load_list(tmp_path / "nowhere.csv")
