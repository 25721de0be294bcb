"""Archives cut off at every byte and changed at random: no traceback, no hang, nothing that looks whole and is not."""

import gzip
import io
import random
import tarfile
import zipfile
from functools import cache

import pytest
from recipes.archives import rar4, rar5, seven, streamed_zip

from triage.evidence.archives.limits import MIB, ArchiveLimits
from triage.notices import INCOMPLETE_KINDS, NoticeKind

TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 8
FILES = {"a.txt": TEXT, "b/c.txt": TEXT + b"two", "stored": bytes(range(64))}
LIMITS = ArchiveLimits(floor=8 * MIB, total=8 * MIB)


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if name == "stored" else None)
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(content), {"mtime": "1714558830.5"}
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()[:6144]


@cache
def sample(kind: str) -> bytes:
    raw = [(name.encode(), content) for name, content in FILES.items()]
    return {
        "application/zip": _zip,
        "application/x-tar": _tar,
        "application/gzip": lambda: gzip.compress(TEXT * 3, mtime=0),
        "application/x-7z-compressed": lambda: seven([(n, len(content), content) for n, content in FILES.items()]),
        "application/x-rar": lambda: rar4(raw),
        "application/vnd.rar": lambda: rar5(raw),
    }[kind]()


KINDS = (
    "application/zip application/x-tar application/gzip application/x-7z-compressed "
    "application/x-rar application/vnd.rar"
).split()


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_at_which_an_archive_can_be_cut_off(unpack, kind) -> None:
    data = sample(kind)
    whole = unpack(data, kind, limits=LIMITS)
    step = 1 if len(data) < 2000 else 7
    for length in range(0, len(data), step):
        found = unpack(data[:length], kind, limits=LIMITS)
        for member in found.members:
            path = member.entry.path
            if member.source is not None and member.reason is None and path in whole.contents:
                assert found.contents[path] == whole.contents[path]
        if len(found.contents) < len(whole.contents):
            assert found.kinds & INCOMPLETE_KINDS, length


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_random_changes_end_in_members_and_notices(unpack, kind, seed) -> None:
    random_ = random.Random(f"{kind} {seed}")
    for _ in range(120):
        data = bytearray(sample(kind))
        for _ in range(random_.randrange(1, 5)):
            at = random_.randrange(len(data))
            data[at] = random_.choice((0, 0xFF, 0x7F, data[at] ^ 1 << random_.randrange(8), random_.randrange(256)))
        found = unpack(bytes(data), kind, limits=LIMITS)

        assert sum(map(len, found.contents.values())) <= 9 * MIB
        assert len(found.members) < 100


def test_good_bytes_before_the_damage_are_kept(unpack) -> None:
    random_ = random.Random(7)
    content = bytes(random_.choices(b"abcdefgh ", k=60_000))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", content)
    data = bytearray(out.getvalue())
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    found = unpack(bytes(data), "application/zip")
    good = found.contents["/a"]
    same = next((at for at, (x, y) in enumerate(zip(good, content, strict=False)) if x != y), len(good))

    assert found.kinds == {NoticeKind.DAMAGED}
    assert same > 25_000


def test_a_zip_without_its_directory_is_read_by_its_headers(unpack) -> None:
    data = sample("application/zip")
    found = unpack(data[: data.index(b"PK\1\2")], "application/zip")

    assert found.contents == {"/" + name: content for name, content in FILES.items()}
    assert found.kinds == {NoticeKind.TRUNCATED}
    assert found.members[0].entry.address == "@0"


def test_a_zip_in_pieces_is_read_by_its_headers_when_sizes_stand_behind_the_data(unpack) -> None:
    deflated, stored = zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED
    data = streamed_zip([("deflated", TEXT * 100, deflated), ("stored", TEXT, stored), ("last", TEXT, deflated)])
    found = unpack(data[: data.index(b"PK\1\2")], "application/zip")

    assert found.contents == {"/deflated": TEXT * 100, "/stored": TEXT, "/last": TEXT}
    assert not found.reasons
