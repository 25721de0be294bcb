"""A torrent is named by its info-hash, and files in it only by digests that are of the whole file."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins.bittorrent_torrent import TorrentFile

from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

PATH = "/Users/a/Downloads/mji.torrent"
PIECE = 262_144


def encode(value: object) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else value
        return b"%d:" % len(raw) + raw
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    assert isinstance(value, dict)
    return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"


def torrent(info: dict[str, object], **more: object) -> bytes:
    return encode({"announce": "http://tracker.example/announce", "creation date": 1714558830, "info": info, **more})


def pieces(total: int) -> bytes:
    return b"".join(hashlib.sha1(b"%d" % n).digest() for n in range(-(-total // PIECE)))


SEVERAL = {
    "name": "mji", "piece length": PIECE, "pieces": pieces(600_000),
    "files": [
        {"length": 500_000, "path": ["picha", "mji – one.jpg"], "md5sum": "0123456789ABCDEF0123456789abcdef"},
        {"length": 99_000, "path": ["two.mp4"], "ed2k": bytes(range(16)), "sha1": bytes(range(20))},
        {"length": 1_000, "path": [".pad", "1000"], "attr": "p"},
    ],
}  # fmt: skip
ONE = {"name": "ufuo.jpg", "piece length": PIECE, "length": 70_000, "pieces": hashlib.sha1(b"ufuo").digest()}
HYBRID = {
    "name": "v2", "piece length": PIECE, "pieces": pieces(20_016), "meta version": 2,
    "file tree": {
        "a": {"small.jpg": {"": {"length": 16, "pieces root": hashlib.sha256(b"0123456789abcdef").digest()}}},
        "large.jpg": {"": {"length": 20_000, "pieces root": bytes(32)}},
    },
}  # fmt: skip


def read(content: bytes) -> list[ReferencedFile]:
    records = run_plugin(TorrentFile(), plugin_file(PATH, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_torrents_are_as_expected() -> None:
    records = [
        *read(torrent(SEVERAL, comment="Picha za mji")),
        *read(torrent(ONE)),
        *read(torrent(HYBRID)),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_the_info_hash_is_over_the_bytes_as_they_stand() -> None:
    unsorted = b"d4:name1:x12:piece lengthi16384e6:lengthi00005e6:pieces20:" + bytes(20) + b"e"
    (found, *_) = read(b"d4:info" + unsorted + b"e")

    assert found.algorithm == "btih"
    assert found.digest == hashlib.sha1(unsorted).hexdigest()


def test_piece_digests_are_not_taken_for_digests_of_files() -> None:
    assert [(r.algorithm, r.name) for r in read(torrent(SEVERAL))] == [
        ("btih", "mji"), ("md5", "mji – one.jpg"), ("sha1", "two.mp4"), ("ed2k", "two.mp4"),
    ]  # fmt: skip


def test_one_file_in_one_piece_is_named_by_its_own_digest() -> None:
    assert [(r.algorithm, r.digest) for r in read(torrent(ONE))][1] == ("sha1", hashlib.sha1(b"ufuo").hexdigest())
    assert [r.algorithm for r in read(torrent({**ONE, "length": PIECE + 1}))] == ["btih"]


def test_a_file_of_one_block_in_version_2_is_named_by_its_sha256() -> None:
    found = [r for r in read(torrent(HYBRID)) if r.algorithm == "sha256"]

    assert [(r.path, r.digest) for r in found] == [("a/small.jpg", hashlib.sha256(b"0123456789abcdef").hexdigest())]


def test_names_that_are_listed_are_bounded() -> None:
    many = {**SEVERAL, "files": [{"length": 1, "path": [f"{n}.jpg"]} for n in range(5000)]}
    (found,) = read(torrent(many))

    assert str(found.context).startswith("5,000 files: 0.jpg; ")
    assert "… and 4,980 more" in str(found.context)
    assert len(str(found.context)) < 1000


def test_a_torrent_cut_off_behind_its_description_is_read_and_told() -> None:
    result = examine_file(TorrentFile(), plugin_file(PATH, torrent(ONE, zz="x" * 50)[:-20]))

    assert len(result.found) == 2
    assert ["not a whole torrent" in notice.message for notice in result.notices] == [True]


@pytest.mark.parametrize("content", [b"", b"de", b"d4:infoi1ee", torrent(ONE)[:80], b"\x89PNG", b"d4:infode"[:-2]])
def test_what_is_no_torrent_is_told(content: bytes) -> None:
    with pytest.raises(UnsupportedSchema, match="not a whole torrent"):
        read(content)


@given(
    st.recursive(
        st.integers() | st.binary(max_size=40) | st.sampled_from([b"md5sum", b"path", b"length"]),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [*"files path length pieces attr name md5sum sha1".split(), "file tree", "piece length", ""]
                ),
                below,
            )
        ),
        max_leaves=15,
    )
)
def test_any_description_ends_in_records_or_in_words(info: object) -> None:
    try:
        found = read(encode({"info": info}))
    except UnsupportedSchema as reason:
        assert str(reason)
    else:
        assert all(len(record.digest) in {32, 40, 64} for record in found)


@pytest.mark.parametrize(("path", "taken"), [(PATH, True), ("/x/1.TORRENT", True), ("/x/torrent", False)])
def test_torrents_are_found_by_name(path: str, taken: bool) -> None:
    assert accepts(TorrentFile(), plugin_file(path, b"d")) is taken
