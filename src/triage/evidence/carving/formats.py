"""The formats that are recognised: how their headers look, and who walks through a file from there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from triage.evidence.carving import asf, bmp, ebml, flv, gif, isobmff, jpeg, mpeg, png, riff, tiff
from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    ``header`` is a regular expression that matches where a file may begin. ``keys`` are the one or two bytes that then
    stand ``key_at`` bytes into the file: a cheap first look. ``probe`` is a regular expression for a search at every
    offset, whose match ends ``reach`` bytes into the file; without one (``reach`` 0) the header says too little.
    ``walk`` follows a file and says how it ended, or `None` if what is there is no file of this format; it raises what
    `Reader.get` does. Files of a ``stream`` format can be entered anywhere, so none begins inside another; those of an
    ``embedded`` one are thumbnails in others, at any offset.
    """

    name: str
    header: bytes
    keys: tuple[bytes, ...]
    walk: Callable[[Reader, int], Verdict | None]
    key_at: int = 0
    probe: bytes = b""
    reach: int = 0
    stream: bool = False
    embedded: bool = False


_JPEG: Final = rb"\xff\xd8\xff[\xc0-\xcf\xdb\xdd\xe0-\xef\xfe]"
_PNG: Final = rb"\x89PNG\r\n\x1a\n"
_RIFF: Final = rb"RIFF.{4}(?:WEBP|AVI |WAVE)"
_TIFF: Final = rb"(?:II[*+]\x00|MM\x00[*+])"
_BMP: Final = rb"BM.{4}\x00{4}.{2}\x00\x00[\x0c\x28\x34\x38\x40\x6c\x7c]\x00{3}"
_ASF: Final = rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
_BOXES: Final = rb"(?:\x00\x00.{2}ftyp|\x00.{3}moov|.{4}mdat|\x00{3}\x08wide|\x00.{3}free|\x00.{3}skip|\x00{3}\x14pnot)"
_SYNC: Final = rb"G[\x00-\x7f]"

FORMATS: Final = (
    Format("jpeg", _JPEG, (b"\xff\xd8",), jpeg.walk, probe=_JPEG, reach=4, embedded=True),
    Format("png", _PNG, (b"\x89P",), png.walk, probe=_PNG, reach=8, embedded=True),
    Format("gif", rb"GIF8[79]a", (b"GI",), gif.walk, probe=rb"GIF8[79]a", reach=6),
    Format("riff", _RIFF, (b"RI",), riff.walk, probe=_RIFF, reach=12),
    Format("isobmff", _BOXES, (b"ft", b"mo", b"md", b"wi", b"fr", b"sk", b"pn"), isobmff.walk, 4, rb"ftyp", 8),
    Format("tiff", _TIFF, (b"II", b"MM"), tiff.walk, probe=_TIFF, reach=4),
    Format("bmp", _BMP, (b"BM",), bmp.walk, probe=_BMP, reach=18),
    Format("ebml", rb"\x1a\x45\xdf\xa3", (b"\x1a\x45",), ebml.walk, probe=rb"\x1a\x45\xdf\xa3", reach=4),
    Format("asf", _ASF, (b"\x30\x26",), asf.walk, probe=_ASF, reach=16),
    Format("flv", rb"FLV\x01", (b"FL",), flv.walk, probe=rb"FLV\x01", reach=4),
    # The key lies behind the zeros, of which a disk has too many.
    Format("mpeg-ps", rb"\x00\x00\x01\xba", (b"\x01\xba",), mpeg.walk_program, 2, rb"\x00\x00\x01\xba", 4, stream=True),
    Format("mpeg-ts", _SYNC + rb".{186}" + _SYNC + rb".{186}G", (b"G",), mpeg.walk_transport, stream=True),
    Format("m2ts", rb".{4}" + _SYNC + rb".{190}" + _SYNC + rb".{190}G", (b"G",), mpeg.walk_blu_ray, 4, stream=True),
)
"""In the order in which they are tried where several headers match: the weakest last."""

HEADER: Final = re.compile(b"|".join(b"(" + kind.header + b")" for kind in FORMATS), re.DOTALL)
"""Matches where a file may begin; group *n* is format *n* - 1."""

HEADER_BYTES: Final = 512
"""No header is longer."""
