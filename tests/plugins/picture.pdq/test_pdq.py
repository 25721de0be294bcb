"""Pictures near to listed ones are hits with distance and quality; every picture that can be seen has a digest."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from triage_plugins import picture_pdq
from triage_plugins.picture_pdq import MARGIN, NearPictures, Options

from triage import pictures
from triage.api import Grade, Hit, PictureDigest, SkipFile, UnsupportedSchema
from triage.hashsets.pdq import pdq, pdq_distance
from triage.notices import NoticeKind, Outcome
from triage.pictures import MOST_CLAIMED
from triage.records import Record
from triage.testing import check_golden, examine_file, plugin_file, run_plugin


def clouds(seed: int = 1, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Coloured clouds: harmless, and with something to see at every scale."""
    pixels = np.zeros((size[1], size[0], 3))
    rng = np.random.default_rng(seed)
    for cells in (3, 6, 12, 24, 48):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        pixels += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), float) / cells
    pixels -= pixels.min()
    return Image.fromarray((pixels * 255 / pixels.max()).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def value(picture: Image.Image) -> str:
    return pdq(np.asarray(picture.convert("RGB")))[0].hex()


def listed(folder: Path, *values: str) -> Path:
    path = folder / "unit.csv"
    path.write_text("pdq,category\n" + "".join(f"{each},{number}\n" for number, each in enumerate(values)))
    return path


def scan(content: bytes, *lists: Path, name: str = "/DCIM/a.jpg", **options: int) -> list[Record]:
    return run_plugin(NearPictures(Options(lists, **options)), plugin_file(name, content))


def test_records_are_as_expected(tmp_path: Path) -> None:
    known = listed(tmp_path, value(clouds()), value(clouds(2)))
    records = [
        *scan(encoded(clouds(), "PNG"), known, name="/same.png"),
        *scan(encoded(clouds().resize((200, 150)), "PNG"), known, name="/smaller.png"),
        *scan(encoded(clouds(2).transpose(Image.Transpose.ROTATE_270), "BMP"), known, name="/turned.bmp"),
        *scan(encoded(clouds(3), "PNG"), known, name="/other.png"),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_each_format_is_seen(kind: str, tmp_path: Path) -> None:
    picture = clouds().convert("L" if kind == "GIF" else "RGB")  # 256 greys are all there, of colours GIF has too few
    digest, hit = scan(encoded(picture, kind), listed(tmp_path, value(clouds())))

    assert isinstance(digest, PictureDigest)
    assert (digest.width, digest.height, digest.how) == (320, 240, "full")
    assert isinstance(hit, Hit)
    assert hit.grade is Grade.NEAR
    assert (hit.name, hit.category, hit.algorithm) == ("unit.csv", "0", "pdq")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_each_kind_of_pixels_is_seen(mode: str, tmp_path: Path) -> None:
    picture = clouds().convert("L") if mode == "I;16" else clouds().convert(mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    content = encoded(picture, "TIFF" if mode == "CMYK" else "PNG")
    records = scan(content, listed(tmp_path, value(clouds())))

    assert [type(record) for record in records] == [PictureDigest, Hit]


def test_a_large_jpeg_is_screened_and_a_near_one_confirmed_whole(tmp_path: Path) -> None:
    picture = clouds(4, (1600, 1200))
    content = encoded(picture, quality=90)
    (screened,) = scan(content)
    whole, hit = scan(content, listed(tmp_path, value(picture)))
    true = pdq(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))

    assert isinstance(screened, PictureDigest)
    assert isinstance(whole, PictureDigest)
    assert (screened.how, whole.how) == ("screened", "full")
    assert (bytes.fromhex(whole.value), whole.quality) == true
    assert pdq_distance(bytes.fromhex(screened.value), true[0]) <= MARGIN
    assert (whole.width, whole.height) == (1600, 1200)
    assert isinstance(hit, Hit)
    assert f"distance {pdq_distance(true[0], bytes.fromhex(value(picture)))} of at most 31" in hit.detail


def test_only_the_whole_value_decides(tmp_path: Path) -> None:
    """A value that lies just inside the threshold plus margin of the screened one, but outside of the whole one."""
    content = encoded(clouds(4, (1600, 1200)), quality=90)
    whole = int.from_bytes(pdq(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))[0])
    far = whole ^ sum(1 << bit for bit in range(0, 256, 8)) ^ 2  # 33 bits off

    assert [type(each) for each in scan(content, listed(tmp_path, f"{far:064x}"))] == [PictureDigest]
    (digest,) = scan(content, listed(tmp_path, f"{far:064x}"))
    assert digest.how == "full"


def test_the_threshold_is_inclusive_and_can_be_chosen(tmp_path: Path) -> None:
    picture = clouds()
    known = listed(tmp_path, f"{int(value(picture), 16) ^ ((1 << 40) - 1):064x}")  # 40 bits off
    content = encoded(picture, "PNG")

    assert len(scan(content, known)) == 1
    assert len(scan(content, known, threshold=39)) == 1
    assert "distance 40 of at most 40" in scan(content, known, threshold=40)[1].detail
    with pytest.raises(ValueError, match="threshold"):
        NearPictures(Options((), 65))


def test_a_picture_with_little_to_see_has_a_digest_and_no_match(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 200), "white")
    picture.putpixel((150, 100), (0, 0, 0))
    plugin = NearPictures(Options((listed(tmp_path, value(picture), value(clouds())),)))
    (digest,) = run_plugin(plugin, plugin_file("/a.png", encoded(picture, "PNG")))

    assert isinstance(digest, PictureDigest)
    assert digest.quality < 50
    assert "quality below 50" in plugin.remarks()[0]


def test_a_list_without_pdq_values_is_named_and_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "md5.csv"
    path.write_text("md5\n0123456789abcdef0123456789abcdef\n")
    plugin = NearPictures(Options((path,)))

    assert plugin.remarks() == ["md5.csv: holds no PDQ values, so no picture can be near to it"]
    assert list(plugin.inputs()) == [str(path)]
    assert len(run_plugin(plugin, plugin_file("/a.png", encoded(clouds(), "PNG")))) == 1


def test_of_an_animation_the_first_frame_is_taken() -> None:
    first, second = clouds().convert("P"), clouds(2).convert("P")
    (digest,) = scan(encoded(first, "GIF", save_all=True, append_images=[second]))
    (alone,) = scan(encoded(first, "GIF"))

    assert digest.value == alone.value


@pytest.mark.parametrize("side", [40_000, 30_000])
def test_a_picture_that_claims_to_be_enormous_is_not_decoded(side: int) -> None:
    content = bytearray(encoded(clouds(), "PNG"))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    result = examine_file(NearPictures(), plugin_file("/a.png", bytes(content)))

    assert result.outcomes == Outcome.SKIPPED.value
    assert [each.kind for each in result.notices] == [NoticeKind.LIMIT]
    assert ("claims" in result.notices[0].message) is (side * side > MOST_CLAIMED)


def test_a_near_picture_too_large_to_decode_whole_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_pdq, "MOST_PIXELS", 1_000_000)
    picture = clouds(4, (1600, 1200))
    plugin = NearPictures(Options((listed(tmp_path, value(picture)),)))
    result = examine_file(plugin, plugin_file("/a.jpg", encoded(picture)))

    assert result.outcomes == Outcome.SKIPPED.value
    assert [type(found.record) for found in result.found] == [PictureDigest]
    assert "no match is stated" in result.notices[0].message


def test_what_no_reader_is_there_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _name: None)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)

    with pytest.raises(SkipFile, match="the extra `heif` reads it"):
        run_plugin(NearPictures(), plugin_file("/a.heic", heic))
    with pytest.raises(SkipFile, match="no reader for image/jxl"):
        run_plugin(NearPictures(), plugin_file("/a.jxl", b"\xff\x0a" + bytes(64)))


def test_drawings_and_specks_have_no_digest() -> None:
    assert scan(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", name="/a.svg") == []
    assert scan(encoded(Image.new("RGB", (1, 1)), "PNG")) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_cut_off_picture_is_told(kind: str) -> None:
    content = encoded(clouds(), kind)

    with pytest.raises(UnsupportedSchema, match="not readable"):
        scan(content[: len(content) // 2])


CONTENTS = [encoded(clouds(size=(96, 80)), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CONTENTS), st.data())
def test_damaged_pictures_end_in_records_or_in_words(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        records = scan(bytes(damaged))
    except (UnsupportedSchema, SkipFile) as reason:
        assert str(reason)
    else:
        assert len(records) <= 1
