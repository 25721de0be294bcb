"""Downloads that BitTorrent programs remember are named by info-hash, with folder and times."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins.bittorrent_resume import TorrentResume

from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

HASH = bytes(range(20))
QBITTORRENT = f"/home/a/.local/share/qBittorrent/BT_backup/{HASH.hex()}.fastresume"
UTORRENT = "/Users/a/AppData/Roaming/uTorrent/resume.dat"
TRANSMISSION = f"/home/a/.config/transmission/resume/{HASH.hex()}.resume"


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


FAST = {
    "file-format": "libtorrent resume file", "file-version": 1, "info-hash": HASH, "info-hash2": bytes(range(32)),
    "name": "mji", "save_path": "/home/a/Downloads", "qBt-savePath": "/home/a/Downloads", "qBt-name": "",
    "added_time": 1714558830, "completed_time": 1714559000, "total_downloaded": 600000, "total_uploaded": 12,
}  # fmt: skip
UT = {
    ".fileguard": "0" * 40, "rec": [],
    "mji.torrent": {
        "caption": "mji", "path": "C:\\Users\\a\\Downloads\\mji", "info": HASH, "added_on": 1714558830,
        "completed_on": 1714559000, "downloaded": 600000, "uploaded": 1200000,
    },
    "nyumba.torrent": {"info": bytes(20), "added_on": 1714558900, "completed_on": 0},
    "zote.torrent": {"info": b"short"},
}  # fmt: skip
TR = {
    "added-date": 1714558830, "done-date": 0, "destination": "/home/a/Downloads", "downloaded": 5, "uploaded": 0,
    "name": "mji",
}  # fmt: skip


def read(path: str, content: bytes) -> list[ReferencedFile]:
    records = run_plugin(TorrentResume(), plugin_file(path, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_states_of_all_programs_are_as_expected() -> None:
    records = [
        *read(QBITTORRENT, encode(FAST)),
        *read(UTORRENT, encode(UT)),
        *read(TRANSMISSION, encode(TR)),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_torrents_before_the_damage_are_kept_and_the_damage_told() -> None:
    whole = encode(UT)
    result = examine_file(TorrentResume(), plugin_file(UTORRENT, whole[: whole.index(b"14:nyumba") + 30]))

    assert [found.record.digest for found in result.found if isinstance(found.record, ReferencedFile)] == [HASH.hex()]
    assert ["not whole" in notice.message for notice in result.notices] == [True]


def test_each_torrent_says_where_in_the_file_it_stands() -> None:
    content = encode(UT)
    (first, second) = read(UTORRENT, content)

    assert content[first.source.offset :].startswith(b"d8:added_on")
    assert second.source.offset > first.source.offset


def test_newer_key_names_of_transmission_are_known() -> None:
    (found,) = read(TRANSMISSION, encode({"added_date": 1714558830, "done_date": 1714559000}))

    assert found.state == "completed"


def test_a_name_with_a_part_of_an_info_hash_names_nothing() -> None:
    assert read("/home/a/.config/transmission/resume/mji.0001020304050607.resume", encode(TR)) == []


@pytest.mark.parametrize("content", [b"", b"x", encode(FAST)[:60], encode({**FAST, "info-hash": b""}), b"de"])
def test_what_names_no_torrent_is_told(content: bytes) -> None:
    with pytest.raises(UnsupportedSchema):
        read(QBITTORRENT, content)


KEYS = ["info", "info-hash", "added_on", "completed_on", "name", "path", "caption", "added_time", "downloaded"]


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        st.integers() | st.binary(max_size=20) | st.dictionaries(st.sampled_from(KEYS), st.integers() | st.just(HASH)),
    ),
    st.sampled_from([QBITTORRENT, UTORRENT, TRANSMISSION]),
)
def test_any_values_end_in_records_or_in_words(state: dict[str, object], path: str) -> None:
    try:
        found = read(path, encode(state))
    except UnsupportedSchema as reason:
        assert str(reason)
    else:
        assert all(len(record.digest) == 40 for record in found)


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (QBITTORRENT, True),
        (UTORRENT, True),
        (UTORRENT + ".old", True),
        (TRANSMISSION, True),
        ("/Users/a/Library/Application Support/Transmission/Resume/x.resume", True),
        ("/home/a/cv.resume", False),
    ],
)
def test_states_are_found_by_name(path: str, taken: bool) -> None:
    assert accepts(TorrentResume(), plugin_file(path, b"d")) is taken
