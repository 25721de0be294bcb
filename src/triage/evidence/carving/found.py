"""What carving gives, and its bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from triage.notices import NoticeKind

MIB: Final = 1 << 20
GIB: Final = 1 << 30

_SIZES: Final = {
    "jpeg": 256 * MIB, "png": 256 * MIB, "gif": 256 * MIB, "bmp": 256 * MIB, "tiff": GIB, "riff": 16 * GIB,
    "isobmff": 16 * GIB, "ebml": 16 * GIB, "mpeg-ps": 16 * GIB, "mpeg-ts": 16 * GIB, "m2ts": 16 * GIB, "asf": 16 * GIB,
    "flv": 16 * GIB,
}  # fmt: skip


class Carved(NamedTuple):
    """A file found by its structure: ``length`` bytes at ``offset`` of the source that was searched.

    ``complete`` says that the format's own end was reached without a contradiction; ``reason`` says in words what ended
    the file, and where structure broke if it did. What is not complete reaches to where structure broke, less the zeros
    in front of that. ``checked`` says that the content between beginning and end has a structure too and was followed;
    without it (TIFF, BMP, WebP, HEIC, AVIF, WAV, some videos) a file of which the end was overwritten looks complete.
    """

    offset: int
    length: int
    mime: str
    complete: bool
    reason: str
    checked: bool = True


class Unexamined(NamedTuple):
    """A stretch of the source that was not searched, or not fully, and why; what a notice needs."""

    offset: int
    length: int
    kind: NoticeKind
    message: str


class Verdict(NamedTuple):
    """How the walk through one file ended: at ``end``, an offset in the source; the rest as in `Carved`.

    Up to ``sound``, also an offset in the source, structure was followed without a doubt: zeros before are content.
    """

    end: int
    mime: str
    complete: bool
    reason: str
    checked: bool = True
    sound: int = 0


@dataclass(frozen=True, slots=True)
class CarveLimits:
    """Bounds of carving, so that hostile bytes cost time in proportion to their number and no more.

    ``sizes`` is the longest file in bytes by name of a format (`triage.evidence.carving.formats.FORMATS`); a file that
    says it is longer is cut there and not complete. ``open_ended`` is the length given to a file that states none, in
    bytes. ``files`` bounds how many files are given. ``nested`` is how many bytes of each incomplete file are searched
    for thumbnails at every offset. Walks through files may in all cost ``work`` bytes of reading for each byte passed,
    and ``credit`` bytes beyond that; headers met when this is used up are counted and not followed.
    """

    sizes: Mapping[str, int] = field(default_factory=lambda: dict(_SIZES))
    open_ended: int = 64 * MIB
    files: int = 5_000_000
    nested: int = 16 * MIB
    work: int = 4
    credit: int = 16 * GIB

    def size(self, name: str) -> int:
        """The longest file of format ``name``, in bytes."""
        return self.sizes.get(name, _SIZES[name])
