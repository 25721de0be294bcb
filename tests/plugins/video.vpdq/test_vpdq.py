"""Videos with frames near to listed pictures are hits with time, distance and share; every video seen has digests."""

import io
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from triage_plugins import video_vpdq
from triage_plugins.video_vpdq import NearVideos, Options

from triage.api import Grade, Hit, SkipFile, UnsupportedSchema, VideoDigest
from triage.hashsets.pdq import pdq, pdq_distance
from triage.notices import NoticeKind, Outcome
from triage.records import Record
from triage.testing import check_golden, examine_file, plugin_file, run_plugin

av = pytest.importorskip("av", reason="the extra `video` is not installed")
RATE = 4


def clouds(seed: int, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """Coloured clouds: harmless, and with something to see at every scale."""
    pixels = np.zeros((size[1], size[0], 3))
    rng = np.random.default_rng(seed)
    for cells in (3, 6, 12, 24):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        pixels += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), float) / cells
    pixels -= pixels.min()
    return (pixels * 255 / pixels.max()).astype(np.uint8)


def video(
    scenes: Sequence[np.ndarray], kind: str = "avi", codec: str = "rawvideo", pixels: str = "bgr24", rate: int = RATE
) -> bytes:
    """A video that shows each scene for one second."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = scenes[0].shape[:2]
        stream.pix_fmt, stream.gop_size = pixels, rate
        if codec == "mpeg4":
            stream.bit_rate = 2_000_000
        for number in range(len(scenes) * rate):
            frame = av.VideoFrame.from_ndarray(scenes[number // rate], format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode(None))
    return out.getvalue()


def value(picture: np.ndarray) -> str:
    return pdq(picture)[0].hex()


def listed(folder: Path, *values: str, categories: Sequence[str] = ()) -> Path:
    path = folder / "unit.csv"
    rows = zip(values, categories or map(str, range(len(values))), strict=True)
    path.write_text("pdq,category\n" + "".join(f"{each},{category}\n" for each, category in rows))
    return path


def scan(content: bytes, *lists: Path, name: str = "/DCIM/a.mp4", **options: int) -> list[Record]:
    return run_plugin(NearVideos(Options(lists, **options)), plugin_file(name, content))


def test_records_are_as_expected(tmp_path: Path) -> None:
    known = listed(tmp_path, value(clouds(2)), value(np.rot90(clouds(3)).copy()))
    records = [
        *scan(video([clouds(seed) for seed in (1, 2, 2, 3)]), known, name="/two.avi"),
        *scan(video([clouds(4)]), known, name="/none.avi"),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("mp4", "mpeg4"), ("mov", "mjpeg"), ("3gp", "mpeg4"), ("matroska", "mpeg4"), ("webm", "libvpx"), ("avi", "mpeg4"),
     ("asf", "wmv2"), ("flv", "flv"), ("mpegts", "mpeg2video"), ("vob", "mpeg2video"), ("mpeg1video", "mpeg1video")],
)  # fmt: skip
def test_each_format_is_seen(kind: str, codec: str, tmp_path: Path) -> None:
    rate = 25 if codec in ("mpeg1video", "mpeg2video") else RATE
    content = video([clouds(1), clouds(2)], kind, codec, "yuvj420p" if codec == "mjpeg" else "yuv420p", rate)
    digest, *hits = scan(content, listed(tmp_path, value(clouds(1))))

    assert isinstance(digest, VideoDigest)
    assert (digest.width, digest.height) == (160, 120)
    assert [type(hit) for hit in hits] == [Hit]
    assert hits[0].grade is Grade.NEAR


def test_a_hit_says_when_how_near_and_how_many(tmp_path: Path) -> None:
    known = listed(tmp_path, value(clouds(2)), value(clouds(3)), categories=("holiday.mp4", "holiday.mp4"))
    digest, hit = scan(video([clouds(seed) for seed in (1, 2, 3, 4, 5)]), known)

    assert isinstance(digest, VideoDigest)
    assert [frame[0] for frame in digest.frames] == [0, 1000, 2000, 3000, 4000]
    assert digest.frames[1][1:] == (value(clouds(2)), pdq(clouds(2))[1])
    assert isinstance(hit, Hit)
    assert (hit.name, hit.category, hit.algorithm) == ("unit.csv", "holiday.mp4", "pdq")
    assert "frame at 00:00:01: distance 0 of at most 31, PDQ" in hit.detail
    assert "2 of 5 frames (40%) of quality 50 or more match" in hit.detail
    assert "from 00:00:01 to 00:00:02, 2 of the entries" in hit.detail


def test_each_category_has_its_own_hit(tmp_path: Path) -> None:
    known = listed(tmp_path, value(clouds(1)), value(clouds(2)))
    hits = scan(video([clouds(1), clouds(2)]), known)[1:]

    assert [hit.category for hit in hits] == ["0", "1"]


def test_turned_frames_are_found(tmp_path: Path) -> None:
    known = listed(tmp_path, value(np.rot90(clouds(2)).copy()))
    (hit,) = scan(video([clouds(2)]), known)[1:]

    assert "turned 90° anticlockwise" in hit.detail


def test_the_threshold_is_inclusive_and_can_be_chosen(tmp_path: Path) -> None:
    known = listed(tmp_path, f"{int(value(clouds(1)), 16) ^ ((1 << 40) - 1):064x}")  # 40 bits off
    content = video([clouds(1)])

    assert len(scan(content, known)) == 1
    assert len(scan(content, known, threshold=39)) == 1
    assert "distance 40 of at most 40" in scan(content, known, threshold=40)[1].detail
    with pytest.raises(ValueError, match="threshold"):
        NearVideos(Options((), 65))


def test_frames_with_little_to_see_are_compared_with_nothing(tmp_path: Path) -> None:
    white = np.full((120, 160, 3), 255, np.uint8)
    white[50:60, 50:60] = 0
    digest, hit = scan(video([white, clouds(1)]), listed(tmp_path, value(white), value(clouds(1))))

    assert digest.frames[0][2] < 50
    assert "1 of 1 frames (100%)" in hit.detail


def test_a_long_video_is_seen_at_key_frames_over_its_whole_length(tmp_path: Path) -> None:
    content = video([clouds(seed) for seed in range(12)], "mp4", "mpeg4", "yuv420p")
    digest, hit = scan(content, listed(tmp_path, value(clouds(9))), frames=4)

    assert digest.how == "key frames"
    assert [frame[0] for frame in digest.frames] == [0, 3000, 6000, 9000]
    assert digest.milliseconds == 12_000
    assert "frame at 00:00:09" in hit.detail


def test_a_large_video_is_seen_at_key_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_vpdq, "MOST_DECODED", 160 * 120 * 10)
    content = video([clouds(seed) for seed in range(5)], "matroska", "mpeg4", "yuv420p")
    (digest,) = scan(content, always=True)

    assert digest.how == "key frames"
    assert [frame[0] for frame in digest.frames] == [0, 1000, 2000, 3000, 4000]


def test_a_key_frame_has_the_value_that_the_whole_video_gives() -> None:
    content = video([clouds(seed) for seed in range(6)], "mp4", "mpeg4", "yuv420p")
    (whole,) = scan(content)
    (some,) = scan(content, frames=3)

    assert [frame for frame in whole.frames if frame[0] in (0, 2000, 4000)] == list(some.frames)


def test_a_copy_in_another_codec_is_near_frame_by_frame() -> None:
    scenes = [clouds(seed) for seed in range(4)]
    (one,) = scan(video(scenes))
    (other,) = scan(video(scenes, "webm", "libvpx", "yuv420p"))
    distances = [
        pdq_distance(bytes.fromhex(a[1]), bytes.fromhex(b[1])) for a, b in zip(one.frames, other.frames, strict=True)
    ]

    assert max(distances) <= 31


def test_a_stream_without_a_stated_length_is_bounded() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska", options={"live": "1"}) as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(6 * RATE):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(clouds(number // RATE), format="rgb24")))
        container.mux(stream.encode(None))
    result = examine_file(NearVideos(Options(always=True, frames=3)), plugin_file("/a.mkv", out.getvalue()))

    assert result.outcomes == Outcome.SKIPPED.value
    assert len(result.found[0].record.frames) == 3
    assert [each.kind for each in result.notices] == [NoticeKind.LIMIT]
    assert "3 frames were seen, then: " in result.notices[0].message


def test_a_video_that_claims_enormous_frames_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_vpdq, "MOST_PIXELS", 10_000)
    result = examine_file(NearVideos(), plugin_file("/a.avi", video([clouds(1)])))

    assert result.outcomes == Outcome.SKIPPED.value
    assert "claims 160 × 120 pixels" in result.notices[0].message


def test_only_the_usual_decoders_are_reached() -> None:
    result = examine_file(NearVideos(), plugin_file("/a.avi", video([clouds(1)], codec="utvideo", pixels="yuv420p")))

    assert result.outcomes == Outcome.SKIPPED.value
    assert "coded as utvideo: not decoded here" in result.notices[0].message


def test_sound_alone_has_no_digest() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    assert scan(out.getvalue()) == []


def test_what_a_cut_off_video_still_shows_is_kept(tmp_path: Path) -> None:
    content = video([clouds(seed) for seed in range(6)], "matroska", "mpeg4", "yuv420p")
    digest, *_ = examine_file(NearVideos(), plugin_file("/a.mkv", content[: len(content) // 2])).found

    assert 1 <= len(digest.record.frames) < 6
    with pytest.raises(UnsupportedSchema, match="not readable"):
        scan(video([clouds(1)], "mp4", "mpeg4", "yuv420p")[:2000])  # without its index nothing can be found


def test_a_file_that_names_other_content_opens_none() -> None:
    """A playlist is no video for the suite; what looks like one is read as what its type says and nothing else."""
    playlist = b"\0\0\0\x10ftypmp42\0\0\0\0#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n" * 20

    with pytest.raises(UnsupportedSchema):
        scan(playlist)
    with pytest.raises(ValueError, match="refused"):
        video_vpdq._refuse("file:///etc/hostname", 1, {})


def test_it_is_idle_without_a_use_or_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = listed(tmp_path, value(clouds(1)))

    assert "were not asked for" in NearVideos().idle()
    assert NearVideos(Options((known,))).idle() == NearVideos(Options(always=True)).idle() == ""
    monkeypatch.setattr(video_vpdq, "find_spec", lambda _name: None)
    assert "the extra `video` (PyAV), which is not installed" in NearVideos(Options((known,))).idle()
    assert "were not asked for" in NearVideos().idle()
    with pytest.raises(SkipFile, match="not installed"):
        scan(video([clouds(1)]))


def test_sets_are_inputs_and_those_without_values_are_named(tmp_path: Path) -> None:
    path = tmp_path / "md5.csv"
    path.write_text("md5\n0123456789abcdef0123456789abcdef\n")
    plugin = NearVideos(Options((path,)))

    assert list(plugin.inputs()) == [str(path)]
    assert plugin.remarks()[0] == "md5.csv: holds no PDQ values, so no frame of a video can be near to it"
    assert "at most 300 frames" in plugin.remarks()[1]


CONTENTS = [
    video([clouds(1, (48, 40))] * 2, kind, codec, "yuv420p")
    for kind, codec in (("mp4", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("flv", "flv"))
]


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(CONTENTS), st.integers(0, 1 << 32))
def test_damaged_videos_end_in_records_or_in_words(content: bytes, seed: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 3, 20))):
        damaged[chance.randrange(12, len(damaged))] = chance.choice((0, 127, 128, 255, chance.randrange(256)))
    try:
        records = scan(bytes(damaged[: chance.choice((len(damaged), chance.randrange(20, len(damaged))))]))
    except (UnsupportedSchema, SkipFile) as reason:
        assert str(reason)
    else:
        assert len(records) <= 1
