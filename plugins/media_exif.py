"""Camera metadata of pictures."""

import math
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO, Final

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from triage.api import Absent, File, MediaMetadata, Parser, SkipFile, Time, UnsupportedSchema, local_text, offset_text

READERS: Final[Mapping[str, Callable[[BinaryIO], Image.Image]]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
    "image/png": PngImagePlugin.PngImageFile,
}
PATTERN: Final = "%Y:%m:%d %H:%M:%S"
MOST_PIXELS: Final = 1_000_000_000
"""A picture that claims more is a bomb, or one that a person has to look at with other tools."""
DETAILS: Final = 0x8769
POSITION: Final = 0x8825
MALFORMED: Final = (SyntaxError, OSError, ValueError, TypeError, KeyError, IndexError, ArithmeticError, struct.error)
"""What the readers raise for malformed files (Pillow's own say ``SyntaxError``)."""


class PictureMetadata(Parser):
    """What JPEG, TIFF, PNG and HEIC pictures say in EXIF about camera, software, times and place.

    Does not cover XMP, IPTC, maker notes, fractions of seconds, EXIF behind the pixels of a PNG, and videos. Does not
    decode pixels. Pictures without any such statement yield nothing. In HEIC files the first EXIF block is read.

    References: CIPA DC-008 (Exif 2.32); W3C PNG, section eXIf; ISO/IEC 23008-12
    """

    id = "media.exif"
    yields = (MediaMetadata,)
    types = (*READERS, "image/heic", "image/heif")

    def parse(self, file: File) -> Iterator[MediaMetadata]:
        """One record, if the picture states anything."""
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always")
            try:
                size, exif = _heic(file) if file.type not in READERS else _picture(file)
                record = _record(file, size, exif)
            except MALFORMED as error:
                raise UnsupportedSchema(f"not readable as {file.type}: {type(error).__name__}: {error}") from error
        if record is not None:
            yield record
        if size[0] * size[1] > MOST_PIXELS:
            raise SkipFile(f"claims {size[0]:,} × {size[1]:,} pixels: no part of the suite decodes so many")
        if record is None and doubts:
            raise UnsupportedSchema(str(doubts[0].message))


def _picture(file: File) -> tuple[tuple[int, int], Image.Exif]:
    """Size and EXIF from the header alone; the readers are called directly, for `Image.open` refuses large pictures."""
    with file.open() as stream:
        picture = READERS[file.type](stream)
        if not isinstance(picture, PngImagePlugin.PngImageFile):
            exif = picture.getexif()
            exif.get_ifd(DETAILS)  # while the stream is open
            exif.get_ifd(POSITION)
            return picture.size, exif
        exif = Image.Exif()
        exif.load(picture.info.get("exif", b""))  # its own method would decode the pixels to look behind them
        return picture.size, exif


def _heic(file: File) -> tuple[tuple[int, int], Image.Exif]:
    data = file.read()
    found = [at for order in (b"Exif\0\0II*\0", b"Exif\0\0MM\0*") if (at := data.find(order)) >= 0]
    exif = Image.Exif()
    if found:
        exif.load(data[min(found) : min(found) + (1 << 20)])
    details = exif.get_ifd(DETAILS)
    return (_int(details.get(0xA002)), _int(details.get(0xA003))), exif


def _record(file: File, size: tuple[int, int], exif: Image.Exif) -> MediaMetadata | None:
    details, position = exif.get_ifd(DETAILS), exif.get_ifd(POSITION)
    record = MediaMetadata(
        source=file.locator,
        width=size[0] or Absent.NOT_RECORDED,
        height=size[1] or Absent.NOT_RECORDED,
        make=_text(exif.get(0x010F)),
        model=_text(exif.get(0x0110)),
        software=_text(exif.get(0x0131)),
        taken=_time(details.get(0x9003), details.get(0x9011)),
        digitized=_time(details.get(0x9004), details.get(0x9012)),
        modified=_time(exif.get(0x0132), details.get(0x9010)),
        latitude=_degrees(position.get(2), position.get(1), "NS", 90),
        longitude=_degrees(position.get(4), position.get(3), "EW", 180),
        positioned=_positioned(position.get(29), position.get(7)),
    )
    stated = (record.make, record.model, record.software, record.taken, record.digitized, record.modified)
    return record if any(v is not Absent.NOT_RECORDED for v in (*stated, record.latitude, record.positioned)) else None


def _text(value: object) -> str | Absent:
    if value is None:
        return Absent.NOT_RECORDED
    if not isinstance(value, str):
        return Absent.UNPARSABLE
    with suppress(UnicodeError):  # the standard says ASCII, makers write UTF-8
        value = value.encode("latin-1").decode("utf-8")
    return value.strip(" \0\t\r\n") or Absent.NOT_RECORDED


def _time(value: object, offset: object) -> Time:
    text = _text(value)
    if isinstance(text, Absent):
        return text
    return offset_text(text, PATTERN, offset.strip("\0")) if isinstance(offset, str) else local_text(text, PATTERN)


def _degrees(value: object, reference: object, letters: str, most: int) -> float | Absent:
    if value is None:
        return Absent.NOT_RECORDED
    sign = _text(reference)
    parts = _numbers(value)
    if parts is None or sign not in tuple(letters):
        return Absent.UNPARSABLE
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    return round(-degrees if sign == letters[1] else degrees, 7) if 0 <= degrees <= most else Absent.UNPARSABLE


def _positioned(date: object, clock: object) -> Time:
    day, parts = _text(date), _numbers(clock)
    if isinstance(day, Absent) or clock is None:
        return Absent.NOT_RECORDED
    if parts is None:
        return Absent.UNPARSABLE
    hours, minutes, seconds = (int(part) for part in parts)
    return offset_text(f"{day} {hours:02}:{minutes:02}:{seconds:02}", PATTERN, "Z")


def _numbers(value: object) -> list[float] | None:
    parts = [float(part) for part in value] if isinstance(value, tuple | list) else []
    return parts if len(parts) == 3 and all(math.isfinite(part) for part in parts) else None


def _int(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
