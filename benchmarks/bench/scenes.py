"""Harmless pictures that behave like photographs: a sky, hills, ground, things that stand about, and film grain.

What a perceptual digest sees of a picture (large shapes, soft light) and what makes its file large (fine grain) are
both there. The same numbers give the same pixels; the bytes of the file depend on the JPEG library.
"""

import io
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

QUALITY: Final = 88
_ROUGHNESS: Final = ((4, 12.0), (9, 9.0), (20, 7.0), (45, 6.0), (100, 5.0))
"""Cells across, and how strongly they differ: coarse is strong, as in photographs."""
_GRAIN: Final = 5.0
_SMALL: Final = 96
"""Pixels on a side of a sky before it is enlarged: it has no detail."""


def scene(layout: int, things: int, size: tuple[int, int] = (960, 720), later: float = 0) -> Image.Image:
    """A picture of ``size``. Those with the same ``layout`` share light, horizon and hills, and nothing else.

    With the same ``things`` and ``later`` above zero it is the same scene a moment later: each thing has gone a part of
    the width, about ``later``, somewhere else, and the grain is another.
    """
    width, height = size
    frame, detail = np.random.default_rng([layout, 1]), np.random.default_rng([layout, things, 2])
    picture = _backdrop(frame, width, height)
    _stand_about(ImageDraw.Draw(picture), detail, width, height, later)
    light = _clouds(detail, width, height)
    shift = detail.integers(0, height) + int(later * height), detail.integers(0, width)
    light = light + np.roll(_grain(width, height), shift, (0, 1))
    pixels = np.asarray(picture, np.float32) + light[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def saved(picture: Image.Image, quality: int = QUALITY, progressive: bool = False) -> bytes:
    """A picture as a JPEG file."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, progressive=progressive)
    return out.getvalue()


def _colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = (int(part) for part in rng.integers(low, high, 3))
    return red, green, blue


def _backdrop(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A sky that pales towards the horizon, three rows of hills, ground."""
    top, low = np.array(_colour(rng, 60, 200)), np.array(_colour(rng, 150, 250))
    down = np.linspace(0, 1, _SMALL)[:, None, None]
    across = np.linspace(-1, 1, _SMALL)[None, :, None]
    sky = top * (1 - down) + low * down + across * float(rng.integers(-40, 40))
    picture = Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8)).resize((width, height))
    pen = ImageDraw.Draw(picture)
    horizon = height * float(rng.uniform(0.35, 0.7))
    for row in range(3):
        tops = horizon + height * (0.1 * row + rng.uniform(-0.16, 0.06, 9))
        line = [(width * at / 8, float(tops[at])) for at in range(9)]
        pen.polygon([(0, height), *line, (width, height)], fill=_colour(rng, 50 - 10 * row, 170 - 30 * row))
    return picture


def _stand_about(pen: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, height: int, later: float) -> None:
    """Boxes, discs and roofs in the lower part, a few large and some small."""
    for number in range(int(rng.integers(5, 12))):
        size = width * float(rng.uniform(0.12, 0.3) if number < 3 else rng.uniform(0.03, 0.1))
        left, top = width * float(rng.uniform(-0.05, 0.9)), height * float(rng.uniform(0.2, 0.85))
        left += width * later * float(rng.normal())
        box = (left, top, left + size, top + size * float(rng.uniform(0.5, 1.6)))
        colour = _colour(rng, 10, 245)
        match int(rng.integers(0, 3)):
            case 0:
                pen.rectangle(box, fill=colour)
            case 1:
                pen.ellipse(box, fill=colour)
            case _:
                pen.polygon([(box[0], box[3]), ((box[0] + box[2]) / 2, box[1]), (box[2], box[3])], fill=colour)


def _clouds(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Light and shade of all sizes, the coarse ones strongest."""
    small = (width // 4, height // 4)
    total = np.zeros(small[::-1], np.float32)
    for cells, strength in _ROUGHNESS:
        coarse = rng.uniform(-strength, strength, (max(2, cells * height // width), cells)).astype(np.float32)
        total += np.asarray(Image.fromarray(coarse).resize(small, Image.Resampling.BICUBIC))
    return np.asarray(Image.fromarray(total).resize((width, height), Image.Resampling.BILINEAR))


@lru_cache(maxsize=4)
def _grain(width: int, height: int) -> NDArray[np.float32]:
    """One sheet of grain, laid at another place over each picture."""
    return np.random.default_rng([width, height]).normal(0, _GRAIN, (height, width)).astype(np.float32)
