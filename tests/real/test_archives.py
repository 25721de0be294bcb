"""Every archive in the real evidence set against Python's own readers: names, sizes and contents."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from triage.evidence.archives.open import open_archive
from triage.evidence.files import FileSource
from triage.locator import Locator
from triage.notices import Notice

MAGIC = {b"PK\3\4": "application/zip", b"\x1f\x8b": "application/gzip", b"BZh": "application/x-bzip2"}
MAGIC[b"\xfd7zXZ"] = "application/x-xz"
CUT_OFF = "corrupt1.gz"
MOST = 32 << 20


def kind_of(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(512)
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    return "application/x-tar" if head[257:262] == b"ustar" else ""


def contents(path: Path, kind: str, scratch: Path) -> tuple[dict[str, bytes], set[str]]:
    found: dict[str, bytes] = {}
    doubts = set()
    for item in open_archive(FileSource(path), kind, path.name, Locator("real"), scratch) or ():
        reason = item if isinstance(item, Notice) else item.reason
        doubts |= {reason.kind_text} if reason else set()
        if not isinstance(item, Notice) and item.source is not None:
            found[item.entry.path] = item.source.read_at(0, item.source.size)
    return found, doubts


def by_zipfile(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {"/" + info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def by_tarfile(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        files = [info for info in archive if info.isreg()]
        return {"/" + info.name.removeprefix("./").lstrip("/"): archive.extractfile(info).read() for info in files}


REFERENCE: dict[str, Callable[[Path], dict[str, bytes]]] = {
    "application/zip": by_zipfile,
    "application/x-tar": by_tarfile,
}
SINGLE = {"application/gzip": gzip, "application/x-bzip2": bz2, "application/x-xz": lzma}


def test_all_archives_of_the_set_agree_with_pythons_own_readers(real: Path, tmp_path: Path) -> None:
    seen = dict.fromkeys((*REFERENCE, *SINGLE), 0)
    for path in sorted(path for path in real.rglob("*") if path.is_file() and not path.is_symlink()):
        kind = kind_of(path)
        if not kind or path.name == CUT_OFF or path.stat().st_size > MOST:
            continue
        found, doubts = contents(path, kind, tmp_path)
        if kind in SINGLE:
            assert list(found.values()) == [SINGLE[kind].decompress(path.read_bytes())], path
        else:
            assert found == REFERENCE[kind](path), path
        assert not doubts, path
        seen[kind] += 1

    assert min(seen.values()) > 0
    assert sum(seen.values()) > 50


def test_a_gzip_file_that_is_cut_off_gives_what_is_there(real: Path, tmp_path: Path) -> None:
    (path,) = real.rglob(CUT_OFF)
    found, doubts = contents(path, "application/gzip", tmp_path)

    assert doubts == {"truncated"}
    assert len(next(iter(found.values()))) > path.stat().st_size
