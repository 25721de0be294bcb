"""Pictures as pixels, for plugins: readers chosen by type, bounds on what is decoded, and one kind of error."""

import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PsdImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from triage.errors import SkipFile, UnsupportedSchema
from triage.plugin import File

Reader = Callable[[BinaryIO], Image.Image]
_READERS: Final[Mapping[str, Reader]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/gif": GifImagePlugin.GifImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
    "image/bmp": BmpImagePlugin.BmpImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
    "image/avif": AvifImagePlugin.AvifImageFile,
    "image/jp2": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "image/vnd.microsoft.icon": IcoImagePlugin.IcoImageFile,
    "image/vnd.adobe.photoshop": PsdImagePlugin.PsdImageFile,
}
_HEIC: Final = frozenset({"image/heic", "image/heif"})
DRAWINGS: Final = frozenset({"image/svg+xml", "image/wmf", "image/emf"})
"""Types that have no pixels of their own."""
MOST_PIXELS: Final = 120_000_000
"""A picture is decoded whole up to so many pixels: seven bytes of memory for each, of the two gigabytes of a worker."""
MOST_CLAIMED: Final = 1_000_000_000
"""A picture that claims more is a bomb, or one that a person has to look at with other tools."""
_MALFORMED: Final = (
    SyntaxError, OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
    RuntimeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What the readers raise for malformed files (Pillow's own say ``SyntaxError``, that of AVIF ``RuntimeError``)."""


class Picture(NamedTuple):
    """A decoded picture.

    ``pixels`` are luminance (rows, columns) or red, green and blue (rows, columns, 3), from 0 to 255, of the first
    frame, without transparency and not turned as EXIF says. ``width`` and ``height`` are the true size; ``reduced``
    tells that it was decoded at 1/2, 1/4 or 1/8 of that.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    reduced: bool


def picture_readers() -> Mapping[str, Reader]:
    """Readers by MIME type, with that of HEIC where its package is installed."""
    if find_spec("pi_heif") is None:
        return _READERS
    return {**_READERS, **dict.fromkeys(_HEIC, import_module("pi_heif").HeifImageFile)}


def decode_picture(
    file: File,
    readers: Mapping[str, Reader],
    without: str,
    *,
    least_side: int = 0,
    smallest: int = 1,
    grey: bool = False,
) -> Picture | None:
    """Decode a picture; `None` if a side is shorter than ``smallest`` pixels.

    A JPEG is reduced as far as leaves ``least_side`` pixels on the shorter side; zero decodes it whole. One that is
    reduced has luminance only if ``grey``. ``without`` says what a file that is not decoded goes without, for messages.

    Raises:
        SkipFile: nothing reads files of this type, or there are too many pixels.
        UnsupportedSchema: it is damaged, or not what its type says.
    """
    reader = readers.get(file.type)
    if reader is None:
        needs = "; the extra `heif` reads it" if file.type in _HEIC else ""
        raise SkipFile(f"no reader for {file.type}: {without}{needs}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with file.open() as stream:
                picture = reader(stream)
                width, height = picture.size
                scale = _scale(picture, least_side)
                _check_size(width, height, scale, without)
                if min(width, height) < smallest:
                    return None
                if scale > 1:
                    picture.draft("L" if grey else None, (width // scale, height // scale))
                return Picture(_pixels(picture), width, height, scale > 1)
        except _MALFORMED as error:
            raise UnsupportedSchema(f"not readable as {file.type}: {type(error).__name__}: {error}") from error


def _scale(picture: Image.Image, least_side: int) -> int:
    if not least_side or not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return 1
    return next((scale for scale in (8, 4, 2) if min(picture.size) >= least_side * scale), 1)


def _check_size(width: int, height: int, scale: int, without: str) -> None:
    if width * height > MOST_CLAIMED:
        raise SkipFile(f"claims {width:,} × {height:,} pixels: no part of the suite decodes so many")
    if scale == 1 and width * height > MOST_PIXELS:
        raise SkipFile(f"{width:,} × {height:,} pixels are more than are decoded ({MOST_PIXELS:,}): {without}")


def _pixels(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I;16"):
        return (np.asarray(picture) >> 8).astype(np.uint8)
    return np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
