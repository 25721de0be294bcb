"""PDQ over its publisher's own pictures: the published values, and what is found of their altered copies.

Values: ThreatExchange, ``pdq/cpp`` regression output and the examples of its services. Pictures are decoded by
different libraries there and here; values within 10 bits at quality 80 or more are the publisher's own measure.
"""

from pathlib import Path

import numpy as np
import pdqhash
import pytest
from PIL import Image
from triage_plugins.picture_pdq import LEAST_SIDE, MARGIN, NearPictures, Options

from triage.api import Hit, PictureDigest
from triage.hashsets.pdq import PDQ_THRESHOLD, PDQ_VARIANTS, pdq, pdq_dihedral, pdq_distance, pdq_transform
from triage.testing import plugin_file, run_plugin

ORIGINAL = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
"""Of ``bridge-mods/aaa-orig.jpg``, decoded whole."""
TURNED = {
    "bridge-1-original": ("as it is", "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"),
    "bridge-2-rotate-90": (
        "turned 90° clockwise", "30a10efdf1c83f429013d48d0ffffc52e34e0e35ada952a9d29605215aa9e5af"),
    "bridge-3-rotate-180": ("turned 180°", "2dad5a64b1a142e7d362a09857da895ae63b8c7fc23794b766b319361fc93188"),
    "bridge-4-rotate-270": (
        "turned 90° anticlockwise", "a5f0a457248995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b5bfc4f05"),
    "bridge-5-flipx": ("mirrored top to bottom", "d8f80f33e0f417b20e37f5cd028f980fb36ed02a9662c1e233e64c634e9c64dd"),
    "bridge-6-flipy": ("mirrored left to right", "2da9259bb1a1bd1a5362576552da32a5e63b7380c2774b4866b346c91b89ce77"),
    "bridge-7-flip-plus-1": (
        "mirrored along the main diagonal", "f0a1e10271ccc0bd90530b720fff038de34ef1e8ada9a956d6967ade5ea91a50"),
    "bridge-8-flip-minus-1": (
        "mirrored along the other diagonal", "2df05aa8a4896a17c14682da5aaaab07b61b5b42f8fc07fc87c3d0741bfcb0fa"),
}  # fmt: skip
"""How each picture has to be turned to be the original, and its value in the publisher's C++ program, which scales
every picture to 512 × 512 first."""


@pytest.fixture(scope="module")
def bridges(real: Path) -> Path:
    return real / "threatexchange" / "pdq" / "data"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def test_the_value_of_the_original_is_the_published_one(bridges: Path) -> None:
    value, quality = pdq(pixels(bridges / "bridge-mods" / "aaa-orig.jpg"))

    assert (value.hex(), quality) == (ORIGINAL, 100)


@pytest.mark.parametrize("name", TURNED)
def test_turned_pictures_are_within_the_publishers_tolerance(bridges: Path, name: str) -> None:
    value, quality = pdq(pixels(bridges / "reg-test-input" / "dih" / f"{name}.jpg"))

    assert quality == 100
    assert pdq_distance(value, bytes.fromhex(TURNED[name][1])) <= 10


def test_all_pictures_agree_with_the_reference_to_the_bit(bridges: Path) -> None:
    assert len(pictures(bridges)) == 20
    for path in pictures(bridges):
        bits, quality = pdqhash.compute(pixels(path))

        assert pdq(pixels(path)) == (np.packbits(bits).tobytes(), quality), path.name


def test_each_turned_picture_is_found_by_the_right_variant_only(bridges: Path) -> None:
    for name, (variant, _) in TURNED.items():
        values = pdq_dihedral(pdq_transform(pixels(bridges / "reg-test-input" / "dih" / f"{name}.jpg")).frequencies)
        distances = [pdq_distance(value, bytes.fromhex(ORIGINAL)) for value in values]

        assert [PDQ_VARIANTS[at] for at, each in enumerate(distances) if each <= PDQ_THRESHOLD] == [variant]
        assert min(distances) <= 8
        assert sorted(distances)[1] >= 100


def test_the_plugin_finds_every_altered_copy_with_the_distance_of_comparing_all(bridges: Path, tmp_path: Path) -> None:
    path = tmp_path / "bridge.csv"
    path.write_text(f"pdq\n{ORIGINAL}\n")
    plugin = NearPictures(Options((path,)))
    for picture in pictures(bridges):
        digest, hit = run_plugin(plugin, plugin_file(f"/{picture.name}", picture.read_bytes()))
        transform = pdq_transform(pixels(picture))
        distance = min(pdq_distance(each, bytes.fromhex(ORIGINAL)) for each in pdq_dihedral(transform.frequencies))

        assert isinstance(digest, PictureDigest)
        assert digest.how == "full"
        assert isinstance(hit, Hit)
        assert hit.detail.startswith(f"distance {distance} of at most 31")
        assert distance <= 16


def test_nothing_near_is_found_in_a_list_of_other_values(bridges: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "others.csv"
    path.write_text("pdq\n" + "".join(f"{rng.bytes(32).hex()}\n" for _ in range(10_000)))
    plugin = NearPictures(Options((path,)))
    for picture in pictures(bridges):
        (digest,) = run_plugin(plugin, plugin_file(f"/{picture.name}", picture.read_bytes()))

        assert isinstance(digest, PictureDigest)


def test_screened_values_are_off_by_less_than_the_margin(bridges: Path) -> None:
    plugin = NearPictures()
    screened = 0
    for picture in pictures(bridges):
        (digest,) = run_plugin(plugin, plugin_file(f"/{picture.name}", picture.read_bytes()))
        assert isinstance(digest, PictureDigest)
        screened += digest.how == "screened"
        distance = pdq_distance(bytes.fromhex(digest.value), pdq(pixels(picture))[0])

        assert distance <= MARGIN // 2
        assert (digest.how == "screened") is (min(digest.width, digest.height) >= 2 * LEAST_SIDE)
    assert screened >= 15
