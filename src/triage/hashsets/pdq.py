"""PDQ, a perceptual digest of pictures: 256 bits that change little when a picture is scaled, recompressed or blurred.

Written from the published description; numbers are computed so that every machine gets the same bits.

References: Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019), section PDQ;
W. Jarosz, "Fast Image Convolutions" (2001); C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions" (2010). Thresholds: ThreatExchange, pdq/README.md
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

PDQ_NAME: Final = "PDQ (triage 1)"
"""Algorithm and implementation, as stated with each match. The number changes whenever a value could."""
PDQ_THRESHOLD: Final = 31
"""Distance in bits up to which two pictures are taken as near, as its publisher recommends."""
PDQ_LEAST_QUALITY: Final = 50
"""Digests of pictures with less say too little about them to be compared, as the publisher recommends."""
BYTES: Final = 32
PDQ_SMALLEST_SIDE: Final = 5
"""Pixels; a picture with a shorter side has no PDQ value."""
PDQ_VARIANTS: Final = (
    "as it is", "turned 90° anticlockwise", "turned 180°", "turned 90° clockwise",
    "mirrored top to bottom", "mirrored left to right",
    "mirrored along the main diagonal", "mirrored along the other diagonal",
)  # fmt: skip
"""How a picture has to be turned or mirrored so that it has the digest at the same place in `pdq_dihedral`."""

Numbers = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_SIDE: Final = 64
_KEPT: Final = 16
_SCALES: Final = (1, 2, 4, 8)
_PARTS: Final = (0.299, 0.587, 0.114)
"""Of red, green and blue in luminance (ITU-R BT.601)."""
_DECIMALS: Final = 6
"""Frequencies are rounded to so many, or the last bits of a floating-point sum would decide those of a flat picture."""


class Transform(NamedTuple):
    """What the digests of a picture are made of: its 16 × 16 lowest frequencies, and the quality from 0 to 100."""

    frequencies: Numbers
    quality: int


def pdq_transform(pixels: Pixels, size: tuple[int, int] | None = None) -> Transform:
    """Blur and shrink a picture to 64 × 64, and take its frequencies.

    ``pixels`` is luminance (rows, columns) or red, green and blue (rows, columns, 3), from 0 to 255. Where the picture
    was decoded at 1/2, 1/4 or 1/8 of its size, ``size`` is its true one (rows, columns): each pixel then stands for
    the square of pixels that it is the mean of, and the result is close to that of the whole picture.

    Raises:
        ValueError: the array has another shape, does not fit ``size``, or a side is shorter than `PDQ_SMALLEST_SIDE`.
    """
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"not the pixels of a picture: an array of shape {pixels.shape}")
    rows, columns = size or (pixels.shape[0], pixels.shape[1])
    if min(rows, columns) < PDQ_SMALLEST_SIDE:
        raise ValueError(f"a picture of {columns} × {rows} pixels is too small for PDQ")
    lines = _shrink(pixels.reshape(pixels.shape[0], -1), rows).reshape(_SIDE, pixels.shape[1], -1)
    # All steps are linear, so colours may as well become luminance now that there are fewer.
    luminance = lines[:, :, 0]
    if pixels.ndim == 3:
        red, green, blue = (lines[:, :, at] * np.float32(part) for at, part in enumerate(_PARTS))
        luminance = red + green + blue
    small = _shrink(np.ascontiguousarray(luminance.T), columns).T.astype(np.float64)
    cosines = _cosines()
    return Transform(np.round(cosines @ small @ cosines.T, _DECIMALS), _quality(small))


def pdq(pixels: Pixels) -> tuple[bytes, int]:
    """PDQ value (32 bytes) and quality (0 to 100) of a picture; ``pixels`` and errors as for `pdq_transform`."""
    made = pdq_transform(pixels)
    return pdq_digest(made.frequencies), made.quality


def pdq_digest(frequencies: Numbers) -> bytes:
    """The 32 bytes that say which frequencies are stronger than the median one."""
    flat = frequencies.ravel()
    median = np.partition(flat, flat.size // 2 - 1)[flat.size // 2 - 1]
    return np.packbits((flat > median)[::-1]).tobytes()


def pdq_dihedral(frequencies: Numbers) -> tuple[bytes, ...]:
    """The digests that a picture has when it is turned and mirrored as `PDQ_VARIANTS` says, in that order.

    Turning a picture changes signs of its frequencies and exchanges rows with columns, so no pixel is looked at again.
    """
    columns, rows = _signs()
    both = frequencies * columns * rows
    turned = (
        frequencies, (frequencies * columns).T, both, (frequencies * rows).T,
        frequencies * rows, frequencies * columns, frequencies.T, both.T,
    )  # fmt: skip
    return tuple(pdq_digest(each) for each in turned)


def pdq_distance(one: bytes, other: bytes) -> int:
    """Number of bits in which two values differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _shrink(lines: npt.NDArray[np.uint8] | Singles, size: int) -> Singles:
    """Sixty-four lines, each the weighted mean of lines around its place; ``size`` is how many there truly are."""
    places, weights = _window(size, lines.shape[0])
    shrunk = np.zeros((_SIDE, lines.shape[1]), np.float32)
    for at in range(places.shape[1]):
        # Products and sums are apart, because libraries that fuse them get other last bits on other processors.
        shrunk += lines[places[:, at]] * weights[:, at, None]
    return shrunk


@lru_cache(maxsize=256)
def _window(size: int, decoded: int) -> tuple[npt.NDArray[np.intp], Singles]:
    """For each of 64 places in ``size`` lines: the decoded lines around it, and their weights.

    Two passes of a mean over ``ceil(size / 128)`` neighbours (fewer at the borders), seen at the middle of each of
    64 equal parts.
    """
    scale = next((each for each in _SCALES if -(-size // each) == decoded), 0)
    if not scale:
        raise ValueError(f"{decoded} lines are no picture of {size} lines")
    width = -(-size // (2 * _SIDE))
    after = (width + 2) // 2
    first = np.maximum(np.arange(size) + after - width, 0)
    last = np.minimum(np.arange(size) + after, size)
    rows = []
    for middle in ((np.arange(_SIDE) + 0.5) * size / _SIDE).astype(int):
        near = range(first[middle], last[middle])
        start, end = first[near[0]] // scale, (last[near[-1]] - 1) // scale + 1
        row = np.zeros((end - start) * scale)
        for line in near:
            row[first[line] - start * scale : last[line] - start * scale] += 1 / (last[line] - first[line]) / len(near)
        rows.append((start, row.reshape(-1, scale).sum(axis=1)))
    longest = max(row.size for _, row in rows)
    places, weights = np.zeros((_SIDE, longest), np.intp), np.zeros((_SIDE, longest), np.float32)
    for number, (start, row) in enumerate(rows):
        places[number] = np.minimum(start + np.arange(longest), decoded - 1)
        weights[number, : row.size] = row
    return places, weights


@lru_cache(maxsize=1)
def _cosines() -> Numbers:
    frequency, place = np.arange(1, _KEPT + 1)[:, None], np.arange(_SIDE)[None, :]
    scaled: Numbers = np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * frequency * (2 * place + 1))
    return scaled


@lru_cache(maxsize=1)
def _signs() -> tuple[Numbers, Numbers]:
    """Signs that mirroring from left to right, and from top to bottom, gives to the frequencies."""
    signs = np.where(np.arange(_KEPT) % 2 == 0, -1.0, 1.0)
    return np.broadcast_to(signs[None, :], (_KEPT, _KEPT)), np.broadcast_to(signs[:, None], (_KEPT, _KEPT))


def _quality(small: Numbers) -> int:
    """How much there is to see: the sum of differences between neighbours, in whole hundredths of the range."""
    steps = [np.trunc(np.diff(small, axis=axis) * 100 / 255) for axis in (0, 1)]
    return min(100, int(sum(np.abs(step).sum() for step in steps)) // 90)
