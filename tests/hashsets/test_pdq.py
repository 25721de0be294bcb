"""PDQ values are those of the publisher's own implementation, bit for bit, and turn with the picture."""

import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from triage.hashsets.pdq import (
    PDQ_VARIANTS,
    pdq,
    pdq_digest,
    pdq_dihedral,
    pdq_distance,
    pdq_transform,
)


def smooth(width: int, height: int, seed: int = 1, cells: int = 9) -> np.ndarray:
    """Coloured clouds, in which all frequencies occur."""
    coarse = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def published(pixels: np.ndarray) -> tuple[bytes, int]:
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return np.packbits(bits).tobytes(), int(quality)


@settings(max_examples=40, deadline=None)
@given(st.integers(64, 700), st.integers(64, 700), st.integers(0, 1000), st.integers(4, 60))
def test_values_and_quality_are_those_of_the_reference(width: int, height: int, seed: int, cells: int) -> None:
    pixels = smooth(width, height, seed, cells)
    (value, quality), (expected, expected_quality) = pdq(pixels), published(pixels)

    # Smaller pictures repeat lines, so that some frequencies are zero and their bits chance in the reference.
    # The reference adds up in single precision, which decides a bit where two frequencies are all but equal.
    assert pdq_distance(value, expected) <= 2
    assert abs(quality - expected_quality) <= 1


@pytest.mark.parametrize(("width", "height"), [(640, 480), (128, 128), (64, 64), (129, 1000), (1600, 1200)])
def test_common_sizes_agree_to_the_bit(width: int, height: int) -> None:
    pixels = smooth(width, height)

    assert pdq(pixels) == published(pixels)


def test_grey_pixels_are_luminance() -> None:
    grey = smooth(300, 200)[:, :, 0]

    assert pdq(grey) == pdq(np.stack([grey] * 3, axis=2))


TURNED = {
    "as it is": lambda a: a,
    "turned 90° anticlockwise": np.rot90,
    "turned 180°": lambda a: np.rot90(a, 2),
    "turned 90° clockwise": lambda a: np.rot90(a, -1),
    "mirrored top to bottom": lambda a: a[::-1],
    "mirrored left to right": lambda a: a[:, ::-1],
    "mirrored along the main diagonal": lambda a: a.swapaxes(0, 1),
    "mirrored along the other diagonal": lambda a: np.rot90(a, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("variant", PDQ_VARIANTS)
def test_each_variant_is_the_value_of_the_picture_so_turned(variant: str) -> None:
    pixels = smooth(512, 384, cells=40)
    values = pdq_dihedral(pdq_transform(pixels).frequencies)
    value, _ = pdq(np.ascontiguousarray(TURNED[variant](pixels)))
    distances = [pdq_distance(value, each) for each in values]

    # Not zero: the 64 places lie half a pixel off the middle, and turning puts them on the other side.
    assert [each <= 31 for each in distances] == [each == variant for each in PDQ_VARIANTS]


def test_variants_are_those_of_the_reference() -> None:
    pixels = smooth(400, 300)
    expected, _ = pdqhash.compute_dihedral(pixels)

    assert pdq_dihedral(pdq_transform(pixels).frequencies) == tuple(np.packbits(bits).tobytes() for bits in expected)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_reduced_picture_of_known_true_size_has_nearly_the_value_of_the_whole(scale: int) -> None:
    pixels = smooth(1600, 1200)
    blocks = pixels.reshape(1200 // scale, scale, 1600 // scale, scale, 3).mean(axis=(1, 3)).round().astype(np.uint8)

    assert pdq_distance(pdq_digest(pdq_transform(blocks, (1200, 1600)).frequencies), pdq(pixels)[0]) <= 4


def test_a_flat_picture_has_no_quality_and_the_same_value_everywhere() -> None:
    for shade in (0, 7, 255):
        assert pdq(np.full((200, 300, 3), shade, np.uint8)) == (bytes(32), 0)


@pytest.mark.parametrize("shape", [(4, 100), (100, 4, 3), (100,), (50, 50, 4)])
def test_what_is_no_picture_or_too_small_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        pdq(np.zeros(shape, np.uint8))


def test_a_reduced_picture_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture of"):
        pdq_transform(np.zeros((100, 100), np.uint8), (300, 300))
