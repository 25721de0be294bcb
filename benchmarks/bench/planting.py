"""Known pictures to plant in an image, each in one of nine ways, and the truth about them."""

import csv
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from PIL import Image

from bench.scenes import saved, scene
from triage.hashsets.pdq import PDQ_LEAST_QUALITY, pdq


class Way(StrEnum):
    """How a known picture was planted."""

    WHOLE = "whole"
    RENAMED = "renamed"
    RESIZED = "resized to 50 %"
    RECOMPRESSED = "recompressed at quality 60"
    ROTATED = "rotated"
    DELETED = "deleted"
    CUT = "cut off after 60 %"
    ARCHIVED = "in an archive"
    UNALLOCATED = "in unallocated space"


SAME_BYTES: Final = frozenset({Way.WHOLE, Way.RENAMED, Way.DELETED, Way.ARCHIVED, Way.UNALLOCATED})
"""Ways that leave all bytes of a picture as they were: only these may match exactly."""
FOLDER: Final = "Users/Amani/Pictures"
BURSTS: Final = f"{FOLDER}/burst"
"""Pictures that are no copies of known ones but show the same scene."""
_DISGUISES: Final = ("dat", "txt", "tmp", "bin", "dll", "db", "")
_TURNS: Final = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
_ARCHIVES: Final = ("zip", "tar.gz", "7z")


@dataclass(frozen=True, slots=True)
class Original:
    """A known picture. ``pdq`` is hex, ``category`` what the list says of it."""

    number: int
    content: bytes
    md5: str
    sha1: str
    pdq: str
    category: int


@dataclass(frozen=True, slots=True)
class Truth:
    """Where a known picture was planted. ``path`` is empty and ``offset`` set where it has no name.

    ``planted_sha1`` is that of the bytes that were planted; ``length`` is their number; ``offset`` is from the start of
    the image.
    """

    way: str
    original: int
    sha1: str
    md5: str
    pdq: str
    planted_sha1: str
    length: int
    path: str = ""
    offset: int | None = None


def originals(count: int, size: tuple[int, int] = (960, 720)) -> Iterator[Original]:
    """The known pictures, all different; every tenth is a progressive JPEG.

    Raises:
        ValueError: a picture shows too little for its perceptual digest to be compared.
    """
    for number in range(count):
        content = saved(scene(number, 0, size), progressive=number % 10 == 9)
        with Image.open(io.BytesIO(content)) as picture:
            value, quality = pdq(np.asarray(picture.convert("RGB")))
        if quality < PDQ_LEAST_QUALITY:
            raise ValueError(f"picture {number} has a PDQ quality of {quality}")
        md5, sha1 = hashlib.md5(content).hexdigest(), hashlib.sha1(content).hexdigest()
        yield Original(number, content, md5, sha1, value.hex(), number % 3)


def way_of(number: int) -> Way:
    """How the original of this number is planted: the ways take turns."""
    ways = tuple(Way)
    return ways[number % len(ways)]


def planted_bytes(original: Original) -> bytes:
    """What is planted of an original."""
    way, content = way_of(original.number), original.content
    if way in SAME_BYTES:
        return content
    if way is Way.CUT:
        return content[: len(content) * 6 // 10]
    with Image.open(io.BytesIO(content)) as picture:
        if way is Way.RESIZED:
            half = (picture.width // 2, picture.height // 2)
            return saved(picture.resize(half, Image.Resampling.LANCZOS), 85)
        if way is Way.RECOMPRESSED:
            return saved(picture, 60)
        return saved(picture.transpose(_TURNS[original.number // len(Way) % len(_TURNS)]), 85)


def planted_path(number: int) -> str:
    """Path of a planted file; for an archived picture that in its archive, behind the archive's."""
    way, turn = way_of(number), number // len(Way)
    if way is Way.RENAMED:
        end = _DISGUISES[turn % len(_DISGUISES)]
        return f"Users/Amani/AppData/Local/Cache/{number:04d}{'.' if end else ''}{end}"
    if way is Way.ARCHIVED:
        kind = _ARCHIVES[turn % len(_ARCHIVES)]
        inner = f"/bundle{turn:02d}.tar" if kind == "tar.gz" else ""
        return f"Users/Amani/Downloads/bundle{turn:02d}.{kind}{inner}/safari/IMG_{number:04d}.jpg"
    return f"{FOLDER}/{_slug(way)}/IMG_{number:04d}.jpg"


def truth(original: Original, planted: bytes, *, path: str = "", offset: int | None = None) -> Truth:
    """The truth about one planted picture."""
    return Truth(
        way=way_of(original.number).value,
        original=original.number,
        sha1=original.sha1,
        md5=original.md5,
        pdq=original.pdq,
        planted_sha1=hashlib.sha1(planted).hexdigest(),
        length=len(planted),
        path=f"/{path}" if path else "",
        offset=offset,
    )


def bundles(known: Iterable[Original]) -> dict[str, list[tuple[str, bytes]]]:
    """Members (name, content) of each archive that holds planted pictures, by the archive's path."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for one in known:
        if way_of(one.number) is Way.ARCHIVED:
            path = PurePosixPath(planted_path(one.number))
            archive = next(each for each in path.parents if each.name.startswith("bundle") and each.suffix != ".tar")
            found.setdefault(str(archive), []).append((f"safari/{path.name}", one.content))
    return found


def zipped(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A zip file; members carry no date of their own, so that it is the same every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A tar file, packed by gzip."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def write_held(folder: Path, known: Iterable[Original]) -> None:
    """Write the known pictures themselves, as a unit that holds them has them, each under its SHA-1."""
    folder.mkdir(exist_ok=True)
    for one in known:
        (folder / f"{one.sha1}.jpg").write_bytes(one.content)


def write_known(path: Path, known: Iterable[Original]) -> None:
    """A list of known pictures as CSV."""
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("sha1", "md5", "pdq", "category"))
        rows.writerows((one.sha1, one.md5, one.pdq, one.category) for one in known)


def write_truth(path: Path, planted: Iterable[Truth]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in planted))


def read_truth(path: Path) -> list[Truth]:
    """What `write_truth` wrote."""
    return [Truth(**json.loads(line)) for line in path.read_text().splitlines()]


def write_others(path: Path, paths: Iterable[str]) -> None:
    """Paths of the files that are no copies of known pictures, one a line."""
    path.write_text("".join(f"/{one}\n" for one in paths))


def _slug(way: Way) -> str:
    return way.name.lower()
