"""EWF images that are read through libewf: version 2 (``.Ex01``), and sets that `triage.evidence.ewf` refuses."""

from pathlib import Path
from typing import Final

import pyewf

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.container import Candidate, Container, Doubt
from triage.evidence.entry import Keys
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

_DELTA: Final = b"dvf\t\r\n\xff\0"
_LOGICAL_2: Final = b"LEF2\r\n\x81\0"
_VERSION_2: Final = b"EVF2\r\n\x81\0"
_ENCRYPTED: Final = b"ADCRYPT\0"


class LibewfSource(ByteSource):
    """The media of an image as libewf reads it."""

    def __init__(self, paths: list[Path]) -> None:
        self._name = paths[0].name
        self._handle = pyewf.handle()
        try:
            self._handle.open([str(path) for path in paths])
            self.size = int(self._handle.get_media_size())
        except (OSError, MemoryError, ValueError) as problem:
            raise EvidenceError(f"{paths[0]}: libewf cannot open it: {_first_line(problem)}") from problem
        if self.size == 0:
            raise EvidenceError(f"{paths[0]}: libewf finds no media in it")

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        try:
            data = bytes(self._handle.read_buffer_at_offset(length, offset))
        except (OSError, MemoryError) as problem:
            raise UnreadableBytes(f"{self._name}: libewf: {_first_line(problem)}", offset, length) from problem
        if len(data) < length:
            raise UnreadableBytes(f"{self._name}: libewf returns too few bytes", offset + len(data), length - len(data))
        return data

    def digests(self) -> dict[str, str]:
        """Digests over the media that the image stores, by algorithm."""
        stored = {"md5": self._handle.get_hash_value("MD5"), "sha1": self._handle.get_hash_value("SHA1")}
        return {name: str(value).lower() for name, value in stored.items() if value}

    def facts(self) -> dict[str, str]:
        """What the image says about its acquisition, by libewf's names of it."""
        return {str(name): str(value) for name, value in dict(self._handle.get_header_values()).items() if value}

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._handle.close()


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]


def open_with_libewf(path: Path, keys: Keys, container_type: str, *doubts: Doubt) -> Container:  # noqa: ARG001
    """Open an EWF image of any version through libewf, which finds its segments itself.

    Raises:
        EvidenceError: libewf refuses it.
    """
    try:
        paths = [Path(name) for name in pyewf.glob(str(path))]
    except OSError:
        paths = [path]
    source = LibewfSource(paths)
    blind = (NoticeKind.REMARK, "libewf reads damaged chunks as zeros and does not say so; verify the stored digests")
    doubts = (*doubts, blind)
    return Container(container_type, source, tuple(paths), source.digests(), source.facts(), doubts)


def open_ewf2(candidate: Candidate, keys: Keys) -> Container | None:
    """Open EWF version 2, and refuse by name the relatives of EWF that hold no media that can be read here.

    Raises:
        UnsupportedEvidence: a logical evidence file, a delta file or an encrypted container.
        EvidenceError: libewf refuses it.
    """
    if candidate.head.startswith(_VERSION_2):
        return open_with_libewf(candidate.path, keys, "ewf2")
    if candidate.head.startswith(_ENCRYPTED):
        raise UnsupportedEvidence(
            f"{candidate.path}: an image encrypted with AD encryption; decrypt it with FTK Imager first"
        )
    if candidate.head.startswith(_DELTA):
        raise UnsupportedEvidence(
            f"{candidate.path}: an EWF delta file, which holds changes made to an image and no evidence itself"
        )
    if candidate.head.startswith(_LOGICAL_2):
        raise UnsupportedEvidence(
            f"{candidate.path}: a logical evidence file of version 2 (Lx01); save it as L01 first"
        )
    return None
