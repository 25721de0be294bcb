"""Pictures that look nearly like known ones, and digests for finding pictures that look alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triage.api import (
    DRAWINGS,
    MOST_PIXELS,
    PDQ_LEAST_QUALITY,
    PDQ_NAME,
    PDQ_SMALLEST_SIDE,
    PDQ_THRESHOLD,
    PDQ_VARIANTS,
    File,
    Grade,
    Hit,
    NearMatch,
    NearSet,
    PictureDigest,
    Scanner,
    SkipFile,
    decode_picture,
    pdq_digest,
    pdq_dihedral,
    pdq_transform,
    picture_readers,
)

LEAST_SIDE: Final = 320
"""JPEG pictures are screened at 1/2, 1/4 or 1/8 of their size, with at least so many pixels on the shorter side."""
MARGIN: Final = 10
"""Bits added to the threshold for screened values; what that loses is measured in docs/near-matches.md."""
QUALITY_MARGIN: Final = 5
MOST_THRESHOLD: Final = 64


@dataclass(frozen=True, slots=True)
class Options:
    """Sets or lists with PDQ values, and the distance in bits up to which a picture is near.

    ``always`` digests pictures also where no set holds such values: those that look alike can be grouped then.
    """

    lists: tuple[Path, ...] = ()
    threshold: int = PDQ_THRESHOLD
    always: bool = False


class Seen(NamedTuple):
    """A decoded picture: its frequencies, PDQ quality, true size, and whether it was decoded at a fraction of that."""

    frequencies: NDArray[np.float64]
    quality: int
    width: int
    height: int
    screened: bool


class NearPictures(Scanner):
    """Perceptual digests (PDQ) of pictures, and pictures near to one of a loaded set, also turned or mirrored.

    Reads JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF, JPEG 2000, icons and Photoshop files, and HEIC where the extra `heif`
    is installed. Of animations the first frame is taken. A near match is a lead for a person to look at: pictures that
    were cropped, framed or written over are missed, and different pictures of one scene, or with the same layout, may
    lie near. Does not cover camera raw, vector drawings, pictures with a side shorter than five pixels, and damaged
    pictures, of which what could be seen is not compared. Pictures of a quality below 50 have a digest but are compared
    with nothing.

    References: PDQ as `triage.hashsets.pdq` says; thresholds of ThreatExchange, pdq/README.md
    """

    id = "picture.pdq"
    yields = (PictureDigest, Hit)
    types = ("image/*",)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        if not 0 <= self.options.threshold <= MOST_THRESHOLD:
            raise ValueError(f"a threshold of {self.options.threshold} bits is not from 0 to {MOST_THRESHOLD}")
        self.loaded = tuple(NearSet.open(path) for path in self.options.lists)
        self.sets = tuple(known for known in self.loaded if len(known.index))
        self.readers = picture_readers()

    def idle(self) -> str:
        """Decoding pictures costs as much as all else, so there must be a use for it."""
        if self.sets or self.options.always:
            return ""
        return "no loaded set holds PDQ values, and perceptual digests were not asked for"

    def inputs(self) -> Mapping[str, str]:
        """The sets (or lists) with their digests."""
        return {str(each.known.path): each.known.sha256 for each in self.loaded}

    def remarks(self) -> Sequence[str]:
        """What is not compared."""
        without = [f"{each.name}: holds no PDQ values, so no picture can be near to it"
                   for each in self.loaded if each not in self.sets]  # fmt: skip
        if not self.sets:
            return without
        return [
            *without,
            f"pictures of PDQ quality below {PDQ_LEAST_QUALITY} show too little for a near match: not compared",
        ]

    def scan(self, file: File) -> Iterator[PictureDigest | Hit]:
        """The picture's digest, and one hit for each set that holds one near to it."""
        if file.type in DRAWINGS:
            return
        seen = self._look(file, whole=False)
        if seen is None:
            return
        matches = self._near(seen)
        if seen.screened and matches:
            whole = self._look(file, whole=True) if seen.width * seen.height <= MOST_PIXELS else None
            if whole is None:
                yield _record(file, seen)
                raise SkipFile(
                    f"at a fraction of its size it is {matches[0].distance} bits from an entry of "
                    f"{matches[0].match.name}, but {seen.width:,} × {seen.height:,} pixels are too many to decode it "
                    "whole: no match is stated"
                )
            seen, matches = whole, self._near(whole)
        yield _record(file, seen)
        for near in matches:
            yield self._hit(file, seen, near)

    def _look(self, file: File, whole: bool) -> Seen | None:
        """Decode a picture and transform it, `None` if it is too small; a large JPEG is reduced unless ``whole``."""
        picture = decode_picture(
            file,
            self.readers,
            "no perceptual digest",
            least_side=0 if whole else LEAST_SIDE,
            smallest=PDQ_SMALLEST_SIDE,
            grey=True,
        )
        if picture is None:
            return None
        made = pdq_transform(picture.pixels, (picture.height, picture.width))
        return Seen(made.frequencies, made.quality, picture.width, picture.height, picture.reduced)

    def _near(self, seen: Seen) -> list[NearMatch]:
        """The nearest entry of each set that has one; for a screened picture, of each set that may have one."""
        slack, doubt = (MARGIN, QUALITY_MARGIN) if seen.screened else (0, 0)
        if seen.quality < PDQ_LEAST_QUALITY - doubt:
            return []
        variants = pdq_dihedral(seen.frequencies)
        found = (known.nearest(variants, self.options.threshold + slack) for known in self.sets)
        return [near for near in found if near is not None]

    def _hit(self, file: File, seen: Seen, near: NearMatch) -> Hit:
        turned = f", {PDQ_VARIANTS[near.variant]}" if near.variant else ""
        return Hit(
            source=file.locator,
            grade=Grade.NEAR,
            name=near.match.name,
            detail=f"distance {near.distance} of at most {self.options.threshold}, {PDQ_NAME}, quality {seen.quality}"
            f"{turned}, listed as {near.match.digest}",
            algorithm="pdq",
            scheme=near.match.scheme,
            category=near.match.category,
            disposition=near.match.disposition,
        )


def _record(file: File, seen: Seen) -> PictureDigest:
    return PictureDigest(
        source=file.locator,
        algorithm="pdq",
        value=pdq_digest(seen.frequencies).hex(),
        quality=seen.quality,
        width=seen.width,
        height=seen.height,
        how="screened" if seen.screened else "full",
    )
