"""What real lists in JSON, XML and SQLite have wrong, each as a test of its own."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from recipes import lists

from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers import open_list

MD5 = hashlib.md5(b"neutral").hexdigest()
OTHER = hashlib.md5(b"other").hexdigest()
SHA1 = hashlib.sha1(b"neutral").hexdigest()
CONTEXT = lists.ODATA_2.format("US", "Media")


def read(folder: Path, content: str | bytes) -> tuple[ListFacts, list[SetEntry]]:
    path = folder / "list.bin"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    facts, entries = open_list(path)
    return facts, list(entries)


def given(path: Path) -> tuple[list[SetEntry], str]:
    """What is given before a list breaks off, and why it does."""
    entries: list[SetEntry] = []
    with pytest.raises(ValueError) as caught:
        for each in open_list(path)[1]:
            entries.append(each)
    return entries, str(caught.value)


def vics(*media: Any, context: str = CONTEXT, key: str = "@odata.context") -> str:
    return json.dumps({key: context, "value": list(media)})


def only(folder: Path, **fields: Any) -> SetEntry:
    (entry,) = read(folder, vics(fields))[1]
    return entry


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
def test_old_versions_are_read(tmp_path: Path, version: str) -> None:
    facts, entries = read(
        tmp_path, vics({"MD5": MD5}, context=lists.ODATA_1.format(version, "Media"), key="odata.metadata")
    )

    assert (facts.format, facts.scheme) == (f"VICS {version} #Media", f"VICS {version}")
    assert not facts.remarks
    assert len(entries) == 1


@pytest.mark.parametrize(("profile", "remarked"), [("Default", False), ("US", False), ("CUSTOM", False), ("ZZ", True)])
def test_a_profile_that_is_not_known_is_read_with_a_remark(tmp_path: Path, profile: str, remarked: bool) -> None:
    facts, entries = read(tmp_path, vics({"MD5": MD5}, context=lists.ODATA_2.format(profile, "Media")))

    assert facts.scheme == f"VICS 2.0 {profile}"
    assert bool(facts.remarks) == remarked
    assert len(entries) == 1


def test_a_version_that_is_not_known_is_read_with_a_remark(tmp_path: Path) -> None:
    facts, entries = read(tmp_path, vics({"MD5": MD5}, context=CONTEXT.replace("2.0", "3.1")))

    assert "3.1" in facts.remarks[0]
    assert len(entries) == 1


def test_the_context_may_stand_behind_all_media(tmp_path: Path) -> None:
    media = [{"MD5": hashlib.md5(b"%d" % number).hexdigest()} for number in range(4000)]
    facts, entries = read(tmp_path, json.dumps({"value": media, "@odata.context": CONTEXT}))

    assert facts.format == "VICS 2.0 #Media"
    assert len(entries) == 4000


def test_slashes_may_be_escaped(tmp_path: Path) -> None:
    assert read(tmp_path, vics({"MD5": MD5}).replace("/", "\\/"))[0].scheme == "VICS 2.0 US"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_and_byte_order_marks_make_no_difference(tmp_path: Path, encoding: str) -> None:
    facts, entries = read(tmp_path, vics({"MD5": MD5, "Tags": "Zoë"}).replace(", ", ",\r\n").encode(encoding))

    assert facts.scheme == "VICS 2.0 US"
    assert entries[0].digests == (("md5", bytes.fromhex(MD5)),)


def test_a_byte_that_is_no_utf_8_does_not_end_the_list(tmp_path: Path) -> None:
    content = vics({"MD5": MD5, "Comments": "caf_"}, {"MD5": OTHER}).encode().replace(b"caf_", b"caf\xe9")

    assert len(read(tmp_path, content)[1]) == 2


@pytest.mark.parametrize(
    ("stated", "category"), [(0, "0"), ("2", "2"), (None, ""), (1.0, "1"), ("", ""), (-1, "-1"), (" B ", "B")]
)
def test_a_category_is_kept_as_it_is_stated(tmp_path: Path, stated: object, category: str) -> None:
    assert only(tmp_path, MD5=MD5, Category=stated).category == category


def test_a_missing_category_is_not_zero(tmp_path: Path) -> None:
    assert only(tmp_path, MD5=MD5).category == ""


@pytest.mark.parametrize("flag", [True, "true", "True"])
def test_being_precategorised_says_nothing_about_the_category(tmp_path: Path, flag: object) -> None:
    assert only(tmp_path, MD5=MD5, IsPrecategorized=flag, Category=None) == only(tmp_path, MD5=MD5)


@pytest.mark.parametrize(
    ("stated", "size"), [(7, 7), ("7", 7), (7.0, 7), (None, None), ("", None), (-7, None), (True, None), (10**30, None)]
)
def test_a_size_may_be_text(tmp_path: Path, stated: object, size: int | None) -> None:
    assert only(tmp_path, MD5=MD5, MediaSize=stated).size == size


def test_series_dates_and_tags_of_any_form_do_no_harm(tmp_path: Path) -> None:
    odd = {
        "Series": {"odd": [1]},
        "Tags": ["a"],
        "DateUpdated": "/Date(1735787045000+0300)/",
        "VictimIdentified": "maybe",
    }

    assert not only(tmp_path, MD5=MD5, **odd).problems


def test_offsets_of_64_bits_and_numbers_beyond_all_files_do_no_harm(tmp_path: Path) -> None:
    files = [{"MD5": MD5, "PhysicalLocation": 2**64 - 1}]
    content = vics({"MD5": MD5, "MediaFiles": files}, {"MD5": OTHER, "MediaSize": 0}).replace(
        '"MediaSize": 0', '"MediaSize": 1e999'
    )

    assert [len(each.digests) for each in read(tmp_path, content)[1]] == [1, 1]


def test_one_file_may_be_there_many_times(tmp_path: Path) -> None:
    _, entries = read(tmp_path, vics(*({"MD5": MD5, "Category": number} for number in range(3))))

    assert [each.category for each in entries] == ["0", "1", "2"]


def test_digests_of_exif_segments_and_parents_are_not_the_files(tmp_path: Path) -> None:
    other = [{"MD5": OTHER, "PropertyName": "Make", "PropertyValue": "Mfano"}]
    files = [{"MD5": MD5, "ParentMD5": OTHER}]

    assert only(tmp_path, MD5=MD5, Exifs=other, Segments=other, MediaFiles=files).digests == (
        ("md5", bytes.fromhex(MD5)),
    )


@pytest.mark.parametrize("name", ["SHA1", "sha-1", "Sha1Hash"])
def test_alternative_digests_are_taken_under_any_spelling(tmp_path: Path, name: str) -> None:
    more = [{"MD5": MD5.upper(), "HashName": name, "HashValue": SHA1}, {"HashName": "Videntifier", "HashValue": "x"}, 5]

    assert only(tmp_path, MD5=MD5, AlternativeHashes=more).digests[1] == ("sha1", bytes.fromhex(SHA1))


def test_names_of_fields_may_be_in_any_case(tmp_path: Path) -> None:
    assert only(tmp_path, md5=MD5, category=3, mediaSize=4) == SetEntry(
        "media 1", (("md5", bytes.fromhex(MD5)),), "3", 4
    )


def test_a_bad_digest_beside_a_good_one_is_told(tmp_path: Path) -> None:
    entry = only(tmp_path, MD5=MD5, SHA1="short", PhotoDNA="AAAA")

    assert entry.digests == (("md5", bytes.fromhex(MD5)),)
    assert len(entry.problems) == 2


def test_several_cases_are_all_read(tmp_path: Path) -> None:
    cases = [
        {"Media": [{"MD5": MD5}]},
        {"CaseNumber": "empty"},
        {"Media": []},
        {"Media": [{"MD5": OTHER}, {"MD5": MD5}]},
    ]
    _, entries = read(tmp_path, vics(*cases, context=lists.ODATA_2.format("UK", "Cases")))

    assert [each.where for each in entries] == ["media 1", "media 2", "media 3"]


def test_a_list_that_is_cut_off_gives_all_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(vics(*({"MD5": hashlib.md5(b"%d" % number).hexdigest()} for number in range(20_000)))[:-20])
    entries, reason = given(path)

    assert len(entries) == 19_999
    assert "after media 19999" in reason


@pytest.mark.parametrize(
    "inside", ["[" * 300_000, '{"a":' * 200_000, '"' + "x" * (9 << 20) + '"', "[" + "{}," * 3_000_000]
)
def test_an_entry_without_end_is_refused_and_not_gathered(tmp_path: Path, inside: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(vics({"MD5": MD5})[:-2] + ',{"Tags":' + inside)

    assert "8 MiB or nested" in given(path)[1]


def test_descriptors_may_stand_one_a_line_or_in_an_array(tmp_path: Path) -> None:
    one = {"indicator": MD5, "type": "HASH_MD5", "status": "UNKNOWN"}
    lines = read(tmp_path, json.dumps(one) + "\n" + json.dumps(one) + "\n")[1]
    array = read(tmp_path, json.dumps([one, one]))[1]
    answer = read(tmp_path, json.dumps({"next": "x", "data": [one, one]}))[1]

    assert lines == array == answer
    assert len(lines) == 2


XML = (
    '<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">'
    '<images count="1" maxTimestamp="x">{}</images></queryResult>'
)


def image(member: int, name: str, digest: str, when: str = "2025-01-01T00:00:00Z", kind: str = "image") -> str:
    prints = f"<fingerprints><md5>{digest}</md5></fingerprints>" if digest else ""
    return f'<{kind}><member id="{member}">M</member><timestamp>{when}</timestamp><id>{name}</id>{prints}</{kind}>'


def withdrawal(member: int, name: str, when: str) -> str:
    return image(member, name, "", when, "deletedImage")


def test_a_withdrawal_of_one_member_is_not_anothers(tmp_path: Path) -> None:
    content = image(1, "a", MD5) + withdrawal(1, "a", "2025-02-01T00:00:00Z") + image(2, "b", MD5)
    live, gone = read(tmp_path, XML.format(content))[1]

    assert live == SetEntry("image 3", (("md5", bytes.fromhex(MD5)),))
    assert (gone.withdrawn, gone.digests) == (True, ())
    assert "another entry lists the same md5" in gone.problems[0]


def test_an_entry_that_was_entered_anew_after_its_withdrawal_counts(tmp_path: Path) -> None:
    content = withdrawal(1, "a", "2025-01-01T00:00:00Z") + image(1, "a", MD5, "2025-03-01T00:00:00Z")

    assert read(tmp_path, XML.format(content))[1] == [SetEntry("image 2", (("md5", bytes.fromhex(MD5)),))]


def test_withdrawals_are_given_although_the_document_breaks_off(tmp_path: Path) -> None:
    content = image(1, "a", MD5) + image(1, "b", OTHER) + withdrawal(1, "a", "2025-02-01T00:00:00Z")
    path = tmp_path / "list.xml"
    path.write_text(XML.format(content)[:-12])
    entries, reason = given(path)

    assert [each.withdrawn for each in entries] == [False, True]
    assert "breaks off" in reason


def test_fingerprints_of_other_kinds_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    prints = f'<md5>{MD5}</md5><tmk_pdqf>zz</tmk_pdqf><videntifier rel="self"/><sha1/><ssvh_pdna>x</ssvh_pdna>'
    content = image(1, "a", OTHER).replace(f"<md5>{OTHER}</md5>", prints)

    assert read(tmp_path, XML.format(content))[1] == [SetEntry("image 1", (("md5", bytes.fromhex(MD5)),))]


def test_a_document_that_declares_entities_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + XML.format(image(1, "a", "&b;"))

    with pytest.raises(ValueError):
        read(tmp_path, bomb)


def test_a_document_without_end_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.xml"
    deep.write_text(XML.partition("{}")[0] + "<a>" * 100_000)
    wide = tmp_path / "wide.xml"
    wide.write_text(XML.partition("{}")[0] + "<image>" + "<a/>" * 100_000)
    long = tmp_path / "long.xml"
    long.write_text(XML.partition("{}")[0] + "<image><id>" + "x" * (3 << 20))

    assert "nested" in given(deep)[1]
    assert "20000 parts" in given(wide)[1]
    assert "2 MiB" in given(long)[1]


def database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for each in statements:
            connection.execute(each)
        connection.commit()


def test_columns_of_a_database_are_looked_up_and_not_assumed(tmp_path: Path) -> None:
    path = tmp_path / "rds.db"
    database(
        path,
        "CREATE TABLE VERSION (version TEXT)",
        "CREATE TABLE FILE (file_name TEXT, md5 TEXT)",
        f"INSERT INTO FILE VALUES ('a', '{MD5.upper()}'), (x'ff', 'short'), ('b', NULL), ('c', x'{OTHER}')",  # noqa: S608
    )
    entries = list(open_list(path)[1])

    assert [len(each.digests) for each in entries] == [1, 0, 0, 1]
    assert [len(each.problems) for each in entries] == [0, 1, 1, 0]


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    database(path, "CREATE TABLE HASHES (a)", "CREATE TABLE PROPERTIES (b)")

    with pytest.raises(ValueError, match="neither NSRL"):
        open_list(path)


def test_a_view_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.db"
    database(
        path,
        "CREATE TABLE VERSION (version TEXT)",
        "CREATE VIEW FILE AS WITH RECURSIVE n(md5) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT md5 FROM n",
    )

    with pytest.raises(ValueError, match="neither NSRL"):
        open_list(path)


def test_a_database_that_is_cut_off_gives_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "rds.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE VERSION (version TEXT)")
        connection.execute("CREATE TABLE FILE (md5 TEXT)")
        rows = [(hashlib.md5(b"%d" % number).hexdigest(),) for number in range(5000)]
        connection.executemany("INSERT INTO FILE VALUES (?)", rows)
        connection.commit()
    path.write_bytes(path.read_bytes()[:-8192])
    entries, reason = given(path)

    assert len(entries) > 1000
    assert "after row" in reason


def test_changes_beside_a_database_are_not_read_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "set.db"
    path.write_bytes(lists.kdb())
    (tmp_path / "set.db-wal").write_bytes(b"not empty")

    assert "write-ahead log" in open_list(path)[0].remarks[-1]
