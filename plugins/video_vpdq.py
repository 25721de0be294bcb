"""Videos with frames that look nearly like known pictures, and digests for finding videos that look alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final, NamedTuple, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from triage.api import (
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
    Scanner,
    SkipFile,
    UnsupportedSchema,
    VideoDigest,
    pdq_digest,
    pdq_dihedral,
    pdq_transform,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    Coded = Packet[VideoStream]

DEMUXERS: Final[Mapping[str, str]] = {
    "video/mp4": "mov",
    "video/x-m4v": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "video/3gpp2": "mov",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "video/x-ms-asf": "asf",
    "video/x-ms-wmv": "asf",
    "video/x-flv": "flv",
    "video/mp2t": "mpegts",
    "video/ogg": "ogg",
}
"""Readers by type. The library never chooses: some that it has (playlists, lists of files) open what content names."""
MPEG: Final = "video/mpeg"
DECODERS: Final = frozenset(
    "av1 cinepak dvvideo ffv1 flv h263 h264 hevc huffyuv libdav1d libvpx libvpx-vp9 mjpeg mpeg1video mpeg2video mpeg4 "
    "mpegvideo msmpeg4 msmpeg4v1 msmpeg4v2 msmpeg4v3 msvideo1 prores rawvideo svq3 theora vc1 vp3 vp6 vp6a vp6f vp8 "
    "vp9 wmv1 wmv2 wmv3".split()
)
"""Decoders that hostile content may reach, of the hundreds that the library has."""
MOST_FRAMES: Final = 300
"""Frames that are digested; a longer video is seen at so many places, spread over its whole length."""
MOST_CHOSEN: Final = 36_000
MOST_DECODED: Final = 1_500_000_000
"""Pixels of a video that is decoded whole, about three seconds of work. Of a larger one key frames are seen."""
MOST_PIXELS: Final = 40_000_000
MOST_PACKETS: Final = 200_000
MOST_DAMAGED: Final = 100
PACKETS_A_PLACE: Final = 500
MOST_SECONDS: Final = 48 * 3600
USUAL_RATE: Final = 30
"""Frames a second, where a video states no rate."""
MOST_THRESHOLD: Final = 64
ASKED: Final = "vPDQ asks for 80 % of a listed video's frames, within 31 bits at quality 50"
"""Its publisher's operating point. Which entries are of one video a set does not say, so that nothing is decided."""
EXTRA: Final = "needs the extra `video` (PyAV), which is not installed"


@dataclass(frozen=True, slots=True)
class Options:
    """Sets or lists with PDQ values, the distance in bits up to which a frame is near, and how many frames are seen.

    ``always`` digests videos also where no set holds such values: those that look alike can be grouped then.
    """

    lists: tuple[Path, ...] = ()
    threshold: int = PDQ_THRESHOLD
    always: bool = False
    frames: int = MOST_FRAMES


class Placed(NamedTuple):
    """A decoded frame, and its time in milliseconds from the start."""

    at: int
    frame: "VideoFrame"


class Seen(NamedTuple):
    """A frame that was looked at: its time, its PDQ quality, and its value, first as it is, then in all ways turned."""

    at: int
    quality: int
    variants: tuple[bytes, ...]


class FrameMatch(NamedTuple):
    """A frame, and the entry of a set that is nearest to it."""

    frame: Seen
    near: NearMatch


class NearVideos(Scanner):
    """Perceptual digests (PDQ) of frames of videos, and videos with frames near to entries of a loaded set.

    Reads MP4, MOV, 3GP, Matroska, WebM, AVI, ASF, FLV, MPEG and Ogg with the usual codecs, where the extra `video` is
    installed. A short video is seen once in each second, a long or large one at key frames spread over its whole
    length: what is shown between two of them is missed, and the hit says how many frames were looked at. Frames are
    compared as the pictures of `picture.pdq` are, also turned and mirrored; those of a quality below 50 with nothing.
    A set may hold pictures or frames of videos (vPDQ), it makes no difference here. A near match is a lead for a person
    to look at. Does not cover sound, all but the main picture stream, encrypted videos, what lies behind damage, and
    frames that were cropped, framed or written over.

    References: PDQ as `triage.hashsets.pdq` says; ThreatExchange, vpdq/README.md
    """

    id = "video.vpdq"
    yields = (VideoDigest, Hit)
    types = ("video/*",)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        if not 0 <= self.options.threshold <= MOST_THRESHOLD:
            raise ValueError(f"a threshold of {self.options.threshold} bits is not from 0 to {MOST_THRESHOLD}")
        if not 1 <= self.options.frames <= MOST_CHOSEN:
            raise ValueError(f"{self.options.frames} frames are not from 1 to {MOST_CHOSEN:,}")
        self.loaded = tuple(NearSet.open(path) for path in self.options.lists)
        self.sets = tuple(known for known in self.loaded if len(known.index))

    def idle(self) -> str:
        """Decoding videos costs more than all else, so there must be a use for it."""
        if not self.sets and not self.options.always:
            return "no loaded set holds PDQ values, and perceptual digests were not asked for"
        return "" if find_spec("av") else EXTRA

    def inputs(self) -> Mapping[str, str]:
        """The sets (or lists) with their digests."""
        return {str(each.known.path): each.known.sha256 for each in self.loaded}

    def remarks(self) -> Sequence[str]:
        """What is not compared."""
        without = [f"{each.name}: holds no PDQ values, so no frame of a video can be near to it"
                   for each in self.loaded if each not in self.sets]  # fmt: skip
        seen = f"of a video at most {self.options.frames:,} frames are looked at"
        if not self.sets:
            return [*without, seen]
        return [*without, f"{seen}, and those of PDQ quality below {PDQ_LEAST_QUALITY} are not compared"]

    def scan(self, file: File) -> Iterator[VideoDigest | Hit]:
        """The video's digest, and a hit for each set and category with entries near to frames of it."""
        demuxer = _demuxer(file)
        if not find_spec("av"):
            raise SkipFile(f"no perceptual digest: {EXTRA}")
        with file.open() as stream:
            video = _Video(stream, demuxer, self.options.frames)
            seen = list(video.frames())
        if seen:
            yield VideoDigest(
                source=file.locator,
                algorithm="pdq",
                frames=tuple((frame.at, frame.variants[0].hex(), frame.quality) for frame in seen),
                width=video.width,
                height=video.height,
                milliseconds=video.milliseconds,
                how=video.how,
            )
            yield from self._hits(file, seen, video)
        said = f"{len(seen):,} frames were seen, then: " if seen else ""
        if video.trouble:
            raise UnsupportedSchema(f"not readable as {file.type}: {said}{video.trouble}")
        if video.stopped:
            raise SkipFile(f"{said}{video.stopped}")

    def _hits(self, file: File, seen: Sequence[Seen], video: "_Video") -> Iterator[Hit]:
        compared = [frame for frame in seen if frame.quality >= PDQ_LEAST_QUALITY]
        for known in self.sets:
            groups: dict[tuple[str, str], list[FrameMatch]] = {}
            for match in _nearest(known, compared, self.options.threshold):
                groups.setdefault((match.near.match.category, match.near.match.disposition), []).append(match)
            for matches in groups.values():
                yield self._hit(file, matches, len(compared), video.how)

    def _hit(self, file: File, matches: Sequence[FrameMatch], compared: int, how: str) -> Hit:
        best = min(matches, key=lambda each: each.near.distance)
        entry = best.near.match
        turned = f", {PDQ_VARIANTS[best.near.variant]}" if best.near.variant else ""
        entries = len({each.near.match.digest for each in matches})
        return Hit(
            source=file.locator,
            grade=Grade.NEAR,
            name=entry.name,
            detail=f"frame at {_clock(best.frame.at)}: distance {best.near.distance} of at most "
            f"{self.options.threshold}, {PDQ_NAME}, quality {best.frame.quality}{turned}, listed as {entry.digest}; "
            f"{len(matches):,} of {compared:,} frames ({len(matches) / compared:.0%}) of quality {PDQ_LEAST_QUALITY} "
            f"or more match, {how}, from {_clock(matches[0].frame.at)} to {_clock(matches[-1].frame.at)}, "
            f"{entries:,} of the entries ({ASKED})",
            algorithm="pdq",
            scheme=entry.scheme,
            category=entry.category,
            disposition=entry.disposition,
        )


class _Video:
    """The frames of one video that are looked at; what went wrong is in ``trouble``, what was left out in ``stopped``.

    ``how`` says which frames they are, ``milliseconds`` how long the video says that it is (0: it does not say).
    """

    def __init__(self, stream: BinaryIO, demuxer: str, most: int) -> None:
        self._stream = stream
        self._demuxer = demuxer
        self._most = most
        self._packets = self._damaged = self._start = self._last = 0
        self._base = self._step = 0.0
        self._seen = False
        self._errors: tuple[type[Exception], ...] = (
            import_module("av.error").FFmpegError, ValueError, ArithmeticError, AttributeError,
        )  # fmt: skip
        self.width = self.height = self.milliseconds = 0
        self.how = "one frame in each second"
        self.trouble = self.stopped = ""

    def frames(self) -> Iterator[Seen]:
        """In order of time. Stops at what cannot be read."""
        try:
            with self._opened() as container:
                video = container.streams.best("video")
                if video is not None:
                    yield from map(self._look, self._chosen(container, cast("VideoStream", video)))
                    if not self.stopped and not self._seen:
                        self.trouble = "no frame of it can be decoded"
        except self._errors as error:
            self.trouble = f"{type(error).__name__}: {getattr(error, 'strerror', '') or error}"

    def _opened(self) -> "InputContainer":
        opened: InputContainer = import_module("av").open(
            self._stream,
            mode="r",
            format=self._demuxer,
            options={"codec_whitelist": ",".join(sorted(DECODERS))},
            metadata_errors="replace",
            io_open=_refuse,
        )
        return opened

    def _chosen(self, container: "InputContainer", video: "VideoStream") -> Iterator[Placed]:
        context = video.codec_context
        if context is None or context.name not in DECODERS:
            self.stopped = f"its frames are coded as {context.name if context else 'unknown'}: not decoded here"
            return
        self.width, self.height = context.width, context.height
        if self.width * self.height > MOST_PIXELS:
            self.stopped = f"claims {self.width:,} × {self.height:,} pixels: not decoded"
            return
        context.thread_count = 1
        context.thread_type = import_module("av.codec.context").ThreadType.NONE
        context.options = {"max_pixels": str(MOST_PIXELS)}
        seconds = _seconds(container, video)
        self.milliseconds = round(seconds * 1000)
        self._start, self._base = video.start_time or 0, float(video.time_base or 0)
        rate = float(video.average_rate or video.guessed_rate or USUAL_RATE)
        self._step = 1000 / rate
        if seconds and (seconds > self._most or seconds * rate * self.width * self.height > MOST_DECODED):
            self.how = "key frames"
            context.skip_frame = "NONKEY"
            yield from self._spread(container, video, seconds)
        else:
            yield from self._every_second(container, video)

    def _every_second(self, container: "InputContainer", video: "VideoStream") -> Iterator[Placed]:
        due, number, decoded = 0, 0, 0
        for packet in self._demuxed(container, video, MOST_PACKETS + 1):
            for frame in self._decoded(packet):
                decoded += frame.width * frame.height
                at = self._at(frame)
                if (at >= due and number >= self._most) or decoded > 2 * MOST_DECODED:
                    self.stopped = "it is longer than it says, or does not say; the rest was not looked at"
                    return
                if at >= due:
                    yield Placed(at, frame)
                    number += 1
                    due = (at // 1000 + 1) * 1000

    def _spread(self, container: "InputContainer", video: "VideoStream", seconds: float) -> Iterator[Placed]:
        places = min(self._most, max(1, int(seconds)))
        last = -1
        for number in range(places):
            container.seek(self._start + int(seconds * number / places / (self._base or 1)), stream=video)
            frame = self._first(container, video)
            at = self._at(frame) if frame is not None else last
            if frame is not None and at > last:
                last = at
                yield Placed(at, frame)

    def _first(self, container: "InputContainer", video: "VideoStream") -> "VideoFrame | None":
        keys = (packet for packet in self._demuxed(container, video, PACKETS_A_PLACE) if packet.is_keyframe)
        # A decoder holds frames back until it knows their order; without more packets it gives the one it has.
        decoded = (each for packet in keys for each in (*self._decoded(packet), *video.codec_context.decode(None)))
        return next(decoded, None)

    def _demuxed(self, container: "InputContainer", video: "VideoStream", most: int) -> "Iterator[Coded]":
        for number, packet in enumerate(container.demux(video)):
            self._packets += 1
            if self._packets > MOST_PACKETS:
                self.stopped = f"it has more than {MOST_PACKETS:,} packets; the rest was not looked at"
            if number >= most or self.stopped:
                return
            yield packet

    def _decoded(self, packet: "Coded") -> "Iterable[VideoFrame]":
        """What a packet gives; a damaged one gives nothing, and too many of those end it."""
        try:
            return packet.decode()
        except self._errors:
            self._damaged += 1
            if self._damaged > MOST_DAMAGED:
                raise
            return ()

    def _at(self, frame: "VideoFrame") -> int:
        """Milliseconds from the start. Content may claim any time; where it claims none, frames follow each other."""
        if frame.pts is None or not self._base:
            self._last = round(self._last + self._step)
        else:
            self._last = max(0, round((frame.pts - self._start) * self._base * 1000))
        return self._last

    def _look(self, placed: Placed) -> Seen:
        at, frame = placed
        self._seen = True
        if min(frame.width, frame.height) < PDQ_SMALLEST_SIDE:
            return Seen(at, 0, (bytes(32),))
        pixels: NDArray[np.uint8] = np.asarray(frame.reformat(format="rgb24").to_ndarray(), np.uint8)
        made = pdq_transform(pixels)
        if made.quality < PDQ_LEAST_QUALITY:
            return Seen(at, made.quality, (pdq_digest(made.frequencies),))
        return Seen(at, made.quality, pdq_dihedral(made.frequencies))


def _demuxer(file: File) -> str:
    if file.type == MPEG:
        return "mpeg" if file.head[:4] == b"\0\0\x01\xba" else "mpegvideo"
    if file.type not in DEMUXERS:
        raise SkipFile(f"no reader for {file.type}: no perceptual digest")
    return DEMUXERS[file.type]


def _refuse(*named: object) -> NoReturn:
    """Content that names another file or an address gets nothing."""
    raise ValueError(f"it names other content to be opened ({named[0]!r:.80}): refused")


def _seconds(container: "InputContainer", video: "VideoStream") -> float:
    """How long a video says that it is, zero if it says nothing that can be believed."""
    seconds = 0.0
    if video.duration and video.time_base:
        seconds = float(video.duration * video.time_base)
    elif container.duration:
        seconds = container.duration / 1_000_000
    return seconds if 0 < seconds <= MOST_SECONDS else 0.0


def _nearest(known: NearSet, frames: Iterable[Seen], threshold: int) -> Iterator[FrameMatch]:
    """Frames with an entry within the threshold. Still scenes have many equal frames, which are looked up once."""
    answers: dict[bytes, NearMatch | None] = {}
    for frame in frames:
        value = frame.variants[0]
        if value not in answers:
            answers[value] = known.nearest(frame.variants, threshold)
        near = answers[value]
        if near is not None:
            yield FrameMatch(frame, near)


def _clock(milliseconds: int) -> str:
    """Time in a video as hours, minutes and seconds.

    >>> _clock(3_725_400)
    '01:02:05'
    """
    seconds = milliseconds // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
