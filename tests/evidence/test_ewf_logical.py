"""Logical evidence files: names, times and content as libewf finds them, read from our own chunks."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyewf
import pytest
from recipes import ewf as recipe

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.container import Container
from triage.evidence.containers import open_container
from triage.evidence.entry import Entry, EntryFlag, FileSystem, Keys, content
from triage.locator import Locator
from triage.notices import Notice, NoticeKind

COLUMNS = "p n id opr src sub cid jq cr ac wr mo dl aq ha ls du lo po mid cfi be pm lpt".split()
TIME = 1_386_674_918
FILES = {"letter.txt": b"hello world\n" * 100, "noise.bin": bytes(range(256)) * 400, "gone.jpg": b"\xff\xd8" * 3000}


def summed(data: bytes) -> bytes:
    return data + struct.pack("<I", zlib.adler32(data))


def section(out: bytearray, kind: str, body: bytes = b"", *, last: bool = False) -> None:
    at = len(out)
    out += summed(
        struct.pack("<16sQQ40x", kind.encode(), at if last else at + 76 + len(body), 0 if last else 76 + len(body))
    )
    out += body


def line(number: int, name: str, *, folder: bool = False, **values: str) -> str:
    row = {"p": "1" if folder else "", "n": name, "id": str(number), "lo": "-1", "po": "-1", "pm": "-1", "opr": "0"}
    row |= {column: str(TIME) for column in ("cr", "ac", "wr", "mo")} | values
    return "\t".join(row.get(column, "") for column in COLUMNS)


def tree() -> str:
    total = sum(map(len, FILES.values()))
    rows = ["5", "rec", "tb\tcl\tn", f"{total}\t1\t", ""]
    rows += ["perm", "0\t1", "p\tn\ts\tpr\tnta\tnti\tnts", "0\t0", "1\t\t\t10\t\t\t", ""]
    rows += ["srce", "0\t1", "p\tn\tid\tev\ttb\tlo\tpo\tah\tgu\taq", "0\t0", "\t\t0\t\t\t-1\t-1\t\t\t", ""]
    rows += ["sub", "0\t1", "p\tn\tid\tnu\tco\tgu", "0\t0", "\t\t0\t\t1\t", ""]
    rows += ["entry", "1\t1", "\t".join(COLUMNS), "0\t1", line(0, "", folder=True), "0\t2", line(1, "C", folder=True)]
    rows += ["0\t3", line(2, "Users", folder=True)]
    at = 0
    for number, (name, data) in enumerate(FILES.items(), 3):
        flags = str(0x80 if name == "gone.jpg" else 0)
        place = f"1 {at:x} {len(data):x}"
        rows += ["0\t0", line(number, name, ls=str(len(data)), be=place, ha=hashlib.md5(data).hexdigest(), opr=flags)]
        at += len(data)
    rows += ["0\t0", line(6, "last.txt", ls="12", be="1 0 c")]
    return "\n".join([*rows, "", ""])


def logical(text: str, *, sectors: bool = True) -> bytes:
    media = b"".join(FILES.values())
    chunks = [media[at : at + 32768] for at in range(0, len(media), 32768)]
    counts = (14, len(chunks), 64, 512, -(-len(media) // 512) if sectors else 0)
    volume = summed(struct.pack("<BxxxIIIQ", *counts).ljust(1048, b"\0"))
    out = bytearray(b"LVF\t\r\n\xff\0" + struct.pack("<BHH", 1, 1, 0))
    about = recipe.Acquisition(case_number="C", evidence_number="E", description="chosen files", examiner="nobody")
    for kind, stored in (("header2", about.header2()), ("header2", about.header2()), ("header", about.header())):
        section(out, kind, zlib.compress(stored))
    section(out, "volume", volume)
    packed = [zlib.compress(chunk) for chunk in chunks]
    base, at, entries = len(out), 76, []
    for stored in packed:
        entries.append(at | 1 << 31)
        at += len(stored)
    section(out, "sectors", b"".join(packed))
    table = summed(struct.pack("<IxxxxQxxxx", len(entries), base)) + summed(struct.pack(f"<{len(entries)}I", *entries))
    section(out, "table", table)
    section(out, "table2", table)
    data = text.encode("utf-16-le")
    head = bytearray(hashlib.md5(data).digest() + struct.pack("<Q", len(data)) + bytes(24))
    struct.pack_into("<I", head, 24, zlib.adler32(head))
    section(out, "ltree", bytes(head) + data)
    section(out, "data", volume)
    section(out, "done", last=True)
    return bytes(out)


def saved(folder: Path, content_of_file: bytes) -> Path:
    path = folder / "chosen.L01"
    path.write_bytes(content_of_file)
    return path


def system(container: Container) -> FileSystem:
    assert container.file_system is not None
    return container.file_system(Locator("chosen.L01"))


def entries(file_system: FileSystem) -> dict[str, Entry]:
    return {entry.path: entry for entry in file_system.walk() if isinstance(entry, Entry)}


def notices(file_system: FileSystem) -> list[Notice]:
    return [notice for notice in file_system.walk() if isinstance(notice, Notice)]


def libewf_files(entry: Any, path: str = "") -> Iterator[tuple[str, int, int, bytes]]:
    below = list(entry.sub_file_entries)
    if not below:
        data = entry.read_buffer_at_offset(entry.size, 0)
        yield path, entry.size, entry.get_modification_time_as_integer(), data
    for other in below:
        yield from libewf_files(other, f"{path}/{other.name}")


@pytest.mark.parametrize("sectors", [True, False], ids=["with sectors", "without sectors"])
def test_files_are_those_that_libewf_finds(tmp_path: Path, sectors: bool) -> None:
    path = saved(tmp_path, logical(tree(), sectors=sectors))
    container = open_container(path, Keys())
    file_system = system(container)
    ours = [
        (
            entry.path,
            entry.size,
            (entry.times.modified or 0) // 10**9,
            content(file_system, entry).read_at(0, entry.size),
        )
        for entry in entries(file_system).values()
        if entry.type == "r"
    ]
    handle = pyewf.handle()
    handle.open([str(path)])

    assert container.type == "ewf-logical"
    assert container.facts["description"] == "chosen files"
    assert ours == list(libewf_files(handle.get_root_file_entry()))
    assert [path for path, *_ in ours][-1] == "/C/last.txt"
    assert notices(file_system) == []
    handle.close()


def test_deleted_entries_are_marked(tmp_path: Path) -> None:
    found = entries(system(open_container(saved(tmp_path, logical(tree())), Keys())))

    assert found["/C/Users/gone.jpg"].flags == EntryFlag.DELETED
    assert found["/C/Users/letter.txt"].flags == 0
    assert found["/C/Users"].type == "d"


def test_content_without_a_place_is_told_and_cannot_be_opened(tmp_path: Path) -> None:
    text = tree().replace("1 0 4b0", "1 ffffff 4b0")
    file_system = system(open_container(saved(tmp_path, logical(text)), Keys()))
    (told,) = notices(file_system)

    assert told.kind is NoticeKind.DAMAGED
    assert told.source.path == "/C/Users/letter.txt"
    with pytest.raises(EvidenceError):
        file_system.open(entries(file_system)["/C/Users/letter.txt"])


def test_a_changed_tree_is_told(tmp_path: Path) -> None:
    whole = logical(tree())
    broken = whole.replace("noise.bin".encode("utf-16-le"), "other.bin".encode("utf-16-le"))

    assert notices(system(open_container(saved(tmp_path, broken), Keys())))[0].kind is NoticeKind.DAMAGED


@pytest.mark.parametrize("count", ["0\t4000000000", "0\t99999999999999999999999", "x"])
def test_a_tree_that_promises_too_much_ends(tmp_path: Path, count: str) -> None:
    text = tree().replace("0\t3\n", f"{count}\n", 1)

    assert len(entries(system(open_container(saved(tmp_path, logical(text)), Keys())))) <= 7


def test_a_missing_tree_and_version_2_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="tree of names"):
        open_container(saved(tmp_path, logical("5\nrec\n")), Keys())
    with pytest.raises(UnsupportedEvidence, match="Lx01"):
        open_container(saved(tmp_path, b"LEF2\r\n\x81\0" + bytes(500)), Keys())
