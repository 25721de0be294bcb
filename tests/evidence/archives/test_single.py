"""Compressed single files."""

import bz2
import gzip
import io
import lzma
import sys

import pytest

from triage.notices import NoticeKind

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 4000
PACKERS = {
    "application/gzip": gzip.compress,
    "application/x-bzip2": bz2.compress,
    "application/x-xz": lzma.compress,
    "application/zstd": zstd.compress,
}
SUFFIX = {"application/gzip": "gz", "application/x-bzip2": "bz2", "application/x-xz": "xz", "application/zstd": "zst"}


@pytest.mark.parametrize("mime", PACKERS)
def test_one_member_under_the_name_without_its_suffix(unpack, mime) -> None:
    found = unpack(PACKERS[mime](TEXT), mime, f"notes.txt.{SUFFIX[mime]}")

    assert found.contents == {"/notes.txt": TEXT}
    assert not found.notices and not found.reasons


@pytest.mark.parametrize("mime", PACKERS)
def test_streams_one_behind_the_other_are_one_file(unpack, mime) -> None:
    pack = PACKERS[mime]
    padding = b"" if mime == "application/zstd" else bytes(8)

    assert unpack(pack(TEXT) + pack(b"two") + pack(b"") + pack(TEXT) + padding, mime, "a.x").contents == {
        "/a.x (content)": TEXT + b"two" + TEXT
    }


@pytest.mark.parametrize("mime", PACKERS)
def test_what_follows_and_is_no_stream_is_remarked(unpack, mime) -> None:
    found = unpack(PACKERS[mime](TEXT) + b"no stream" * 20, mime, "a.x")

    assert found.contents == {"/a.x (content)": TEXT}
    assert found.kinds == {NoticeKind.REMARK}
    assert "180 bytes" in found.notices[0].message


@pytest.mark.parametrize("mime", PACKERS)
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_stream_that_is_cut_off_gives_what_is_there(unpack, mime, part) -> None:
    data = PACKERS[mime](TEXT)
    found = unpack(data[: int(len(data) * part)], mime, "a.x")
    content = found.contents["/a.x (content)"]

    assert TEXT.startswith(content)
    assert found.kinds == {NoticeKind.TRUNCATED}


def test_the_name_and_time_of_the_gzip_header_are_used(unpack) -> None:
    out = io.BytesIO()
    with gzip.GzipFile("../../caf\xe9.txt", "wb", fileobj=out, mtime=1_714_558_830) as packed:
        packed.write(TEXT)
    found = unpack(out.getvalue(), "application/gzip", "x.gz")
    (member,) = found.members

    assert member.entry.path == "/caf\\xe9.txt"
    assert member.entry.raw_path == b"caf\xe9.txt"
    assert member.entry.times.modified == 1_714_558_830 * 10**9
    assert member.entry.container == "gzip"


def test_a_wrong_check_value_of_gzip_shows_and_the_content_is_there(unpack) -> None:
    data = bytearray(gzip.compress(TEXT))
    data[-8] ^= 1
    found = unpack(bytes(data), "application/gzip", "a.gz")

    assert found.kinds == {NoticeKind.DAMAGED}
    assert len(found.contents["/a"]) > len(TEXT) * 0.8


def test_short_names_of_packed_tars_are_written_out(unpack) -> None:
    for name, inner in (("x.tgz", "/x.tar"), ("x.tar.gz", "/x.tar"), ("X.TBZ2", "/X.tar"), (".gz", "/.gz (content)")):
        assert unpack(gzip.compress(b"x"), "application/gzip", name).paths == [inner]


def test_the_older_format_of_xz_is_read(unpack) -> None:
    packed = lzma.compress(TEXT, lzma.FORMAT_ALONE)

    assert unpack(packed, "application/x-lzma", "a.lzma").contents == {"/a": TEXT}
