"""Small files of every format that is carved: pictures by Pillow, videos laid out by hand."""

import io
import random
import struct
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from PIL import Image, features


class Sample(NamedTuple):
    """A whole file, what it is, and whether its format has an end that can be reached (``ends``) and can tell a
    cut-off file whatever follows (``checked``)."""

    data: bytes
    mime: str
    ends: bool = True
    checked: bool = True


def picture(seed: int = 1, width: int = 160, height: int = 120) -> Image.Image:
    noise = random.Random(seed).randbytes(width // 8 * (height // 8) * 3)
    return Image.frombytes("RGB", (width // 8, height // 8), noise).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    # Pillow keeps on a picture how it was encoded last, which the next encoder stumbles over.
    if "append_images" in options:
        options["append_images"] = [further.copy() for further in options["append_images"]]
    image.copy().save(stream, kind, **options)
    return stream.getvalue()


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def movie(brand: bytes = b"isom", front: bool = True, seed: int = 2) -> bytes:
    """An MP4 with one H.264 track whose samples are two NAL units each, in two chunks."""
    r = random.Random(seed)
    samples = [b"".join(struct.pack(">I", n) + r.randbytes(n) for n in (5, r.randrange(400, 900))) for _ in range(12)]
    head, data = box(b"ftyp", brand, struct.pack(">I", 512), b"isomavc1"), b"".join(samples)

    def description(start: int) -> bytes:
        second = start + sum(map(len, samples[:6]))
        entry = box(b"avc1", bytes(78), box(b"avcC", b"\x01\x42\x00\x1e\xff\xe0\x00"))
        table = box(
            b"stbl",
            box(b"stsd", struct.pack(">II", 0, 1), entry),
            box(b"stsz", struct.pack(">III", 0, 0, 12), struct.pack(">12I", *map(len, samples))),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 6, 1)),
            box(b"stco", struct.pack(">IIII", 0, 2, start, second)),
        )
        return box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", box(b"mdia", box(b"minf", table))))

    if front:
        return head + description(len(head) + len(description(0)) + 8) + box(b"mdat", data)
    return head + box(b"free") + box(b"mdat", data) + description(len(head) + 16)


def fragmented() -> bytes:
    fragment = box(b"moof", box(b"mfhd", bytes(8))) + box(b"mdat", random.Random(3).randbytes(3000))
    return box(b"ftyp", b"iso5", bytes(4), b"iso5") + box(b"moov", box(b"mvhd", bytes(100))) + fragment * 3


def heic() -> bytes:
    item = struct.pack(">HHHHII", 1, 0, 0, 1, 0, 2000)

    def meta(start: int) -> bytes:
        located = item[:8] + struct.pack(">II", start, 2000)
        return box(b"meta", bytes(4), box(b"iloc", bytes(4) + b"\x44\x00" + struct.pack(">H", 1) + located))

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", random.Random(4).randbytes(2000))


def element(name: str, body: bytes, width: int = 4) -> bytes:
    return bytes.fromhex(name) + (len(body) | 1 << 7 * width).to_bytes(width, "big") + body


def matroska(doc: bytes = b"matroska", live: bool = False) -> bytes:
    r = random.Random(5)
    blocks = b"".join(element("A3", b"\x81\0\0\x80" + r.randbytes(r.randrange(300, 700)), 2) for _ in range(8))
    clusters = element("1F43B675", element("E7", b"\0", 1) + blocks) * 2
    body = element("1549A966", r.randbytes(40)) + element("1654AE6B", r.randbytes(90)) + clusters
    head = element("1A45DFA3", element("4282", doc, 1) + element("4287", b"\4", 1), 1)
    return head + (b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + body if live else element("18538067", body, 8))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def avi() -> bytes:
    r = random.Random(6)
    frames = b"".join(chunk(b"00dc", r.randbytes(r.randrange(300, 700))) for _ in range(12))
    lists = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56))) + chunk(b"LIST", b"movi" + frames)
    return chunk(b"RIFF", b"AVI " + lists + chunk(b"idx1", r.randbytes(192)))


def wav() -> bytes:
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16))
    return chunk(b"RIFF", b"WAVE" + form + chunk(b"data", random.Random(7).randbytes(4000)))


def flv() -> bytes:
    r = random.Random(8)
    tags = [(9, b"\x17\1\0\0\0" + r.randbytes(r.randrange(300, 700))) for _ in range(10)] + [(9, b"\x17\2\0\0\0")]
    body = b"".join(
        bytes([kind]) + len(data).to_bytes(3, "big") + bytes(7) + data + struct.pack(">I", 11 + len(data))
        for kind, data in tags
    )
    return b"FLV\x01\x01\0\0\0\x09\0\0\0\0" + body


def asf() -> bytes:
    r = random.Random(9)

    def obj(guid: str, body: bytes) -> bytes:
        return uuid.UUID(guid).bytes_le + struct.pack("<Q", 24 + len(body)) + body

    packets = b"".join(b"\x82\0\0" + r.randbytes(509) for _ in range(12))
    data = obj("75B22636-668E-11CF-A6D9-00AA0062CE6C", bytes(16) + struct.pack("<QH", 12, 0x101) + packets)
    size = 30 + 104 + len(data)
    properties = bytes(16) + struct.pack("<Q", size) + bytes(44) + struct.pack("<III", 512, 512, 0)
    inner = obj("8CABDCA1-A947-11CF-8EE4-00C00C205365", properties)
    return obj("75B22630-668E-11CF-A6D9-00AA0062CE6C", struct.pack("<IBB", 1, 1, 2) + inner) + data


def program_stream(end: bool = True) -> bytes:
    r = random.Random(10)
    pack = b"\0\0\1\xba\x44\0\4\0\4\1\0\0\3\xf8"
    packets = b"".join(pack + b"\0\0\1\xe0" + struct.pack(">H", 700) + r.randbytes(700) for _ in range(9))
    return packets + (b"\0\0\1\xb9" if end else b"")


def transport_stream(stamp: bytes = b"") -> bytes:
    r = random.Random(11)
    table = stamp + b"G\x40\0\x10" + r.randbytes(184)
    return (table + b"".join(stamp + b"G\1\0\x10" + r.randbytes(184) for _ in range(15))) * 4


@pytest.fixture(scope="session")
def draw() -> Callable[..., Image.Image]:
    return picture


@pytest.fixture(scope="session")
def save() -> Callable[..., bytes]:
    return saved


@pytest.fixture(scope="session")
def media() -> dict[str, Sample]:
    """One file of every format and variant, by a name for it."""
    image = picture()
    frames = {"save_all": True, "append_images": [picture(2), picture(3)]}
    samples = {
        "jpeg": Sample(saved(image, "JPEG"), "image/jpeg"),
        "jpeg progressive": Sample(saved(image, "JPEG", progressive=True), "image/jpeg"),
        "jpeg restarts": Sample(saved(image, "JPEG", restart_marker_rows=1), "image/jpeg"),
        "jpeg flat": Sample(saved(Image.new("L", (2000, 2000)), "JPEG", optimize=True), "image/jpeg"),
        "jpeg mpf": Sample(saved(image, "MPO", **frames), "image/jpeg"),
        "png": Sample(saved(image, "PNG"), "image/png"),
        "png animated": Sample(saved(image, "PNG", **frames), "image/png"),
        "gif": Sample(saved(image, "GIF"), "image/gif"),
        "gif animated": Sample(saved(image, "GIF", **frames), "image/gif"),
        "bmp": Sample(saved(image, "BMP"), "image/bmp", checked=False),
        "bmp grey": Sample(saved(image.convert("L"), "BMP"), "image/bmp", checked=False),
        "tiff": Sample(saved(image, "TIFF"), "image/tiff", checked=False),
        # Pillow puts four bytes behind the last page that nothing refers to.
        "tiff pages": Sample(saved(image, "TIFF", **frames)[:-4], "image/tiff", checked=False),
        "tiff big": Sample(saved(image, "TIFF", big_tiff=True), "image/tiff", checked=False),
        "wav": Sample(wav(), "audio/x-wav", checked=False),
        "heic": Sample(heic(), "image/heic", checked=False),
        "mp4": Sample(movie(), "video/mp4"),
        "mp4 moov last": Sample(movie(front=False), "video/mp4"),
        "mp4 fragmented": Sample(fragmented(), "video/mp4", checked=False),
        "mov": Sample(movie(b"qt  "), "video/quicktime"),
        "3gp": Sample(movie(b"3gp5"), "video/3gpp"),
        "mkv": Sample(matroska(), "video/x-matroska"),
        "webm": Sample(matroska(b"webm"), "video/webm"),
        "webm live": Sample(matroska(b"webm", live=True), "video/webm", ends=False),
        "avi": Sample(avi(), "video/x-msvideo"),
        "flv": Sample(flv(), "video/x-flv"),
        "wmv": Sample(asf(), "video/x-ms-asf"),
        "mpg": Sample(program_stream(), "video/mpeg"),
        "mpg no end": Sample(program_stream(end=False), "video/mpeg", ends=False),
        "ts": Sample(transport_stream(), "video/mp2t", ends=False),
        "m2ts": Sample(transport_stream(b"\0\1\2\3"), "video/mp2t", ends=False),
    }
    if features.check("webp"):
        samples["webp"] = Sample(saved(image, "WEBP"), "image/webp", checked=False)
        samples["webp lossless"] = Sample(saved(image, "WEBP", lossless=True), "image/webp", checked=False)
        samples["webp animated"] = Sample(saved(image, "WEBP", **frames), "image/webp", checked=False)
    if features.check("avif"):
        samples["avif"] = Sample(saved(image, "AVIF"), "image/avif", checked=False)
    return samples
