"""What real lists in text and tables have wrong, each as a test of its own."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers import ListOptions, open_list

MD5 = hashlib.md5(b"neutral").hexdigest()
OTHER = hashlib.md5(b"other").hexdigest()
SHA1 = hashlib.sha1(b"neutral").hexdigest()
SHA256 = hashlib.sha256(b"neutral").hexdigest()
SHA512 = hashlib.sha512(b"neutral").hexdigest()
VALUES = {"md5": MD5, "other": OTHER, "sha1": SHA1, "sha256": SHA256, "sha512": SHA512}


def read(folder: Path, content: str | bytes, hex64: str = "") -> tuple[ListFacts, list[SetEntry]]:
    path = folder / "list.bin"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    facts, entries = open_list(path, ListOptions(hex64))
    return facts, list(entries)


def digests(folder: Path, content: str | bytes, hex64: str = "") -> list[tuple[str, str]]:
    return [(name, value.hex()) for each in read(folder, content, hex64)[1] for name, value in each.digests]


def refusal(folder: Path, content: str | bytes, hex64: str = "") -> str:
    with pytest.raises(ValueError) as caught:
        read(folder, content, hex64)
    return str(caught.value)


@pytest.mark.parametrize(
    "content", [f"{SHA256}\n", f"# remark\n{MD5}\n{SHA256}\n", f"hash,name\n{SHA256},x\n", f"{SHA256},x\n"]
)
def test_64_digits_without_a_name_ask_which_they_are(tmp_path: Path, content: str) -> None:
    said = refusal(tmp_path, content)

    assert "--digests sha256" in said
    assert "--digests pdq" in said
    assert ("sha256", SHA256) in digests(tmp_path, content, "sha256")
    assert ("pdq", SHA256) in digests(tmp_path, content, "pdq")


@pytest.mark.parametrize(
    ("content", "algorithm"),
    [
        (f"{SHA256}  name.jpg\n", "sha256"),
        (f"SHA256 (name.jpg) = {SHA256}\n", "sha256"),
        (f"sha256,name\n{SHA256},x\n", "sha256"),
        (f"name,PDQ\nx,{SHA256}\n", "pdq"),
        (f"pdq {SHA256}\n", "pdq"),
        (f"pdq\n{SHA256}\n", "pdq"),
        (f"# SHA-256\n{SHA256}\n", "sha256"),
        (f"hash,quality\n{SHA256},100\n", "pdq"),
        (f"type,hash\nPDQ,{SHA256}\n", "pdq"),
    ],
)
def test_64_digits_with_a_name_are_clear(tmp_path: Path, content: str, algorithm: str) -> None:
    assert digests(tmp_path, content) == [(algorithm, SHA256)]


def test_64_digits_that_come_late_are_refused_line_by_line(tmp_path: Path) -> None:
    _, entries = read(tmp_path, f"{MD5}\n" * 4000 + f"{SHA256}\n")

    assert len(entries) == 4001
    assert "--digests" in entries[-1].problems[0]


def test_what_sha256sum_wrote_stays_sha256_when_pdq_is_chosen_and_that_is_said(tmp_path: Path) -> None:
    facts, entries = read(tmp_path, f"{SHA256}  name.jpg\n", "pdq")

    assert entries[0].digests[0][0] == "sha256"
    assert "sha256sum" in facts.remarks[0]


def test_a_choice_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sha1"):
        ListOptions("sha1")


def test_md5_and_ed2k_look_alike_and_the_header_decides(tmp_path: Path) -> None:
    assert digests(tmp_path, f"md5,eDonkey\n{MD5},{OTHER}\n") == [("md5", MD5), ("ed2k", OTHER)]
    assert digests(tmp_path, f"ed2k://|file|a b.jpg|12|{OTHER.upper()}|/\n") == [("ed2k", OTHER)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_make_no_difference(tmp_path: Path, encoding: str, end: str) -> None:
    lines = end.join([MD5, SHA1, SHA512, ""])
    table = end.join(["MD5,SHA1,Category", f"{MD5},{SHA1},Zoë", f"{OTHER},,", ""])

    assert digests(tmp_path, lines.encode(encoding)) == [("md5", MD5), ("sha1", SHA1), ("sha512", SHA512)]
    entries = read(tmp_path, table.encode(encoding))[1]
    assert [each.category for each in entries] == ["Zoë", ""]
    assert [each.where for each in entries] == ["line 2", "line 3"]


def test_a_category_in_iso_8859_1_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, f"md5,category\n{MD5},Zoë\n".encode("latin-1"))[1][0].category == "Zoë"


def test_bytes_that_are_no_text_late_in_a_list_cost_nothing(tmp_path: Path) -> None:
    lines = f"{MD5}  a.jpg\n".encode() * 3000 + OTHER.encode() + b"  \xe9\xff.jpg\n"
    table = b"md5,name\n" + f"{MD5},a.jpg\n".encode() * 3000 + OTHER.encode() + b",\xe9\xff.jpg\n"

    assert digests(tmp_path, lines)[-1] == ("md5", OTHER)
    assert digests(tmp_path, table)[-1] == ("md5", OTHER)


@pytest.mark.parametrize(
    "header",
    [
        "MD5,SHA1",
        "md5_hash,SHA-1",
        '"Hash (MD5)","Hash (SHA-1)"',
        "MD5 Hash,SHA1 Hash",
        "fileMD5,File SHA1",
        "Hash1 (MD5),Hash2 (SHA1)",
        "Hash Value MD5,sha1sum",
        "# MD5,SHA1",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_found_under_the_names_that_programs_give_them(tmp_path: Path, header: str, delimiter: str) -> None:
    content = f"{header},Category,Size\n{MD5},{SHA1},3,17\n".replace(",", delimiter)
    _, entries = read(tmp_path, content)

    assert entries == [SetEntry("line 2", (("md5", bytes.fromhex(MD5)), ("sha1", bytes.fromhex(SHA1))), "3", 17)]


def test_a_column_of_a_parents_digest_is_not_the_files(tmp_path: Path) -> None:
    assert digests(tmp_path, f"Parent MD5,MD5\n{OTHER},{MD5}\n") == [("md5", MD5)]


def test_lines_before_the_header_are_passed_over(tmp_path: Path) -> None:
    content = f'Report of 2025-03-01, "all"\nsep=,\n\n# remark\nName,MD5\nx,{MD5}\n'

    assert read(tmp_path, content)[1] == [SetEntry("line 6", (("md5", bytes.fromhex(MD5)),))]


@pytest.mark.parametrize(
    "cell", [f" {MD5} ", f"0x{MD5}", f"0X{MD5.upper()}", f"'{MD5}'", f'""{MD5}""', " ".join([MD5[:16], MD5[16:]])]
)
def test_a_value_is_cleaned_of_what_does_not_belong_to_it(tmp_path: Path, cell: str) -> None:
    quoted = cell if '"' not in cell else f'"{cell}"'
    assert digests(tmp_path, f"md5,name\n{quoted},x\n") == [("md5", MD5)]


def test_a_row_with_a_good_and_a_bad_digest_keeps_the_good_one(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, f"md5,sha1,category\n{MD5},{SHA1[:-1]},2\n")[1]

    assert entry.digests == (("md5", bytes.fromhex(MD5)),)
    assert entry.category == "2"
    assert len(entry.problems) == 1
    assert SHA1[:-1] in entry.problems[0]


@pytest.mark.parametrize("blank", ["", "N/A", "NULL", "-", "none"])
def test_what_stands_for_no_value_is_no_bad_value(tmp_path: Path, blank: str) -> None:
    (entry,) = read(tmp_path, f"md5,sha1\n{MD5},{blank}\n")[1]

    assert not entry.problems


def test_ragged_rows_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    _, entries = read(tmp_path, f"name,md5,category,size\na,{MD5}\nb\nc,{OTHER},1,2,3,4,5\n")

    assert [len(each.digests) for each in entries] == [1, 0, 1]
    assert entries[1].problems == ("no digest",)
    assert (entries[2].category, entries[2].size) == ("1", 2)


def test_a_digest_of_the_wrong_length_for_its_column_is_refused(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, f"md5,name\n{SHA1},x\n")[1]

    assert not entry.digests
    assert "40 hexadecimal digits instead of 32" in entry.problems[0]


def test_a_quote_that_is_not_closed_does_not_hide_digests_silently(tmp_path: Path) -> None:
    _, entries = read(tmp_path, f'md5,name\n{MD5},"open\n{OTHER},closed"\n{OTHER},x\n')

    assert "lines 2 to 3" in entries[0].problems[0]
    assert entries[-1].digests[0][1].hex() == OTHER


def test_a_name_on_two_lines_is_no_trouble(tmp_path: Path) -> None:
    _, entries = read(tmp_path, f'md5,name\n{MD5},"a\nb"\n{OTHER},x\n')

    assert [(each.where, each.problems) for each in entries] == [("line 3", ()), ("line 4", ())]


def test_a_quote_that_never_ends_breaks_the_list_off_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f'md5,name\n{MD5},x\n{OTHER},"' + "x" * 200_000)
    entries = open_list(path)[1]

    assert next(entries).digests[0][1].hex() == MD5
    with pytest.raises(ValueError, match="line 3"):
        list(entries)


def test_a_table_without_a_header_is_read_by_its_first_row(tmp_path: Path) -> None:
    assert digests(tmp_path, f"{MD5}|{SHA1}\n{OTHER}|{SHA1}\n") == [
        ("md5", MD5),
        ("sha1", SHA1),
        ("md5", OTHER),
        ("sha1", SHA1),
    ]


def test_a_list_may_have_a_section_for_each_algorithm(tmp_path: Path) -> None:
    content = f"# MD5\n{MD5}\n# SHA-1\n{SHA1}\n# PDQ\n{SHA256}\n"

    assert digests(tmp_path, content) == [("md5", MD5), ("sha1", SHA1), ("pdq", SHA256)]


def test_a_name_that_is_a_digest_is_a_name(tmp_path: Path) -> None:
    assert digests(tmp_path, f"{MD5}  {SHA1}\n") == [("md5", MD5)]


def test_hashdeep_outputs_may_stand_one_after_the_other(tmp_path: Path) -> None:
    first = f"%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n##\n3,{MD5},a,b\n"
    second = f"%%%% HASHDEEP-1.0\n%%%% size,sha1,filename\n3,{SHA1},#a\n"

    assert digests(tmp_path, first + second) == [("md5", MD5), ("sha1", SHA1)]


def test_lines_that_are_no_digests_are_told_with_their_place(tmp_path: Path) -> None:
    _, entries = read(tmp_path, f"{MD5}\nwords\n{MD5[:-1]}\n{'a' * 96}\n{'g' * 32}\n")

    assert [each.where for each in entries if each.problems] == ["line 2", "line 3", "line 4", "line 5"]
    assert not any(each.digests for each in entries if each.problems)


def test_a_line_of_many_megabytes_is_one_problem_and_not_the_end(tmp_path: Path) -> None:
    _, entries = read(tmp_path, f"{MD5}\n" + "x" * (5 << 20) + f"\n{OTHER}\n")

    assert entries[0].digests[0][1].hex() == MD5
    assert entries[-1].digests[0][1].hex() == OTHER
    assert all(len(problem) < 400 for each in entries for problem in each.problems)


@pytest.mark.parametrize("number", ["", "-1", "1.5", "12 KB", "9" * 30, "²"])
def test_a_size_that_is_no_number_of_bytes_is_none(tmp_path: Path, number: str) -> None:
    assert read(tmp_path, f"md5,size\n{MD5},{number}\n")[1][0].size is None


def zipped(*members: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def test_the_only_file_of_a_zip_is_the_list(tmp_path: Path) -> None:
    assert digests(tmp_path, zipped(("odd name", f"{MD5}\n{SHA1}\n".encode()))) == [("md5", MD5), ("sha1", SHA1)]
    assert "2 files" in refusal(tmp_path, zipped(("a", b"1"), ("b", b"2")))


def test_a_zip_that_is_damaged_gives_what_is_before_the_damage(tmp_path: Path) -> None:
    lines = b"".join(hashlib.md5(b"%d" % number).hexdigest().encode() + b"\n" for number in range(60_000))
    content = bytearray(zipped(("list", lines)))
    content[len(content) * 3 // 4] ^= 0xFF
    path = tmp_path / "list.zip"
    path.write_bytes(content)
    given = []
    with pytest.raises(ValueError, match="breaks off"):
        for each in open_list(path)[1]:
            given.append(each)

    assert len(given) > 10_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"only words\nand more\n", "no known format"),
        (b"name,size\na,1\n", "no known format"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "binary"),
        (b"\x1f\x8b\x08" + bytes(40), "gzip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(40), "7z"),
        (bytes(16) + b"\xde\xc0\xef\xbe" + bytes(100), "hashdb"),
        (b'{"block_hash": "x", "k_entropy": 1}\n', "blocks"),
        (b"INSERT INTO METADATA VALUES (1);\n", "SQL"),
        (b"<html><body>log in</body></html>", "HTML"),
        (b"[1, 2]", "Project VIC"),
        (zipped(("[Content_Types].xml", b"<x/>"), ("xl/sheet1.xml", b"<x/>")), "office"),
        (b"PK\x03\x04" + bytes(50), "zip"),
    ],
)
def test_what_is_no_list_is_refused_with_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refusal(tmp_path, content)


def test_folders_of_other_programs_are_named(tmp_path: Path) -> None:
    for name, member, said in (("x", "000.xhd", "X-Ways"), ("n", "data.mdb", "hashdb"), ("e", "readme", "one file")):
        (tmp_path / name).mkdir()
        (tmp_path / name / member).write_bytes(b"")
        with pytest.raises(ValueError, match=said):
            open_list(tmp_path / name)


def test_a_missing_file_is_an_error_of_the_list(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        open_list(tmp_path / "nowhere.csv")


def test_an_encase_set_that_breaks_off_gives_its_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_bytes(b"HASH\r\n\xff\0".ljust(1152, b"\0") + bytes.fromhex(MD5) + b"\1\0" + b"half")
    entries = open_list(path)[1]

    assert next(entries).digests == (("md5", bytes.fromhex(MD5)),)
    with pytest.raises(ValueError, match="after record 1"):
        next(entries)
