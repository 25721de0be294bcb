"""Disks of virtual machines and Apple disk images: VMDK, QCOW, VHD, VHDX, UDIF (``.dmg``) and sparse images.

Apple images go through libmodi, which reads through our own files, so that nothing but a `ByteSource` ever touches
evidence.
"""

from pathlib import Path
from typing import Final, Protocol

import pymodi

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.container import Candidate, Container
from triage.evidence.entry import Keys
from triage.evidence.filelike import LibrarySource, SourceFile
from triage.evidence.files import FileSource
from triage.evidence.layers import Layers
from triage.evidence.qcow import MAGIC as QCOW_MAGIC
from triage.evidence.qcow import open_qcow
from triage.evidence.source import ByteSource
from triage.evidence.vhd import MAGIC as VHD_MAGIC
from triage.evidence.vhd import open_vhd
from triage.evidence.vhdx import MAGIC as VHDX_MAGIC
from triage.evidence.vhdx import open_vhdx
from triage.evidence.vmdk import DESCRIPTOR, open_vmdk
from triage.evidence.vmdk import MAGIC as VMDK_MAGIC

_MAX_MEDIA: Final = 1 << 62

# Other containers that would pass for raw media, and be examined as such, if they were not known by name.
_UNREAD: Final[tuple[tuple[bytes, int, str], ...]] = (
    (b"COWD", 0, "a VMware ESX snapshot extent"),
    (b"\xbe\xba\xfe\xca", 0, "a VMware seSparse extent"),
    (b"\x7f\x10\xda\xbe", 0x40, "a VirtualBox disk (VDI)"),
    (b"QED\0", 0, "a QEMU QED disk"),
    (b"WithoutFreeSpace", 0, "a Parallels disk"),
    (b"WithouFreSpacExt", 0, "a Parallels disk"),
    (b"ADSEGMENTEDFILE\0", 0, "an AccessData logical image (AD1)"),
    (b"AFF10\r\n\0", 0, "an AFF image, version 1 to 3"),
    (b"encrcdsa", 0, "an encrypted Apple disk image"),
)


class LibraryDisk(Protocol):
    """The part of a libyal handle that is used here."""

    def open_file_object(self, file: SourceFile) -> None:
        """Open through a file object."""

    def get_media_size(self) -> int:
        """Bytes of media."""

    def read_buffer_at_offset(self, size: int, offset: int) -> bytes:
        """Bytes of media at an offset."""


def refuse_unread(candidate: Candidate, keys: Keys) -> None:  # noqa: ARG001 - the signature of all detectors
    """Refuse containers that are known by their signature but not read.

    Raises:
        UnsupportedEvidence: it is one; the message says which and what to do.
    """
    for magic, at, what in _UNREAD:
        if candidate.head[at : at + len(magic)] == magic:
            raise UnsupportedEvidence(
                f"{candidate.path}: {what}, which is not read here; convert it to raw or E01 first"
            )
    if candidate.tail[-8:] == b"cdsaencr":
        raise UnsupportedEvidence(f"{candidate.path}: an encrypted Apple disk image, which is not read here")


def open_qcow_disk(candidate: Candidate, keys: Keys) -> Container | None:  # noqa: ARG001
    """Open a QCOW disk with its backing files."""
    if not candidate.head.startswith(QCOW_MAGIC):
        return None
    layers = Layers([candidate.path])
    source, header = open_qcow(layers)
    facts = {"version": str(header.version), "cluster_size": str(1 << header.cluster_bits)}
    return _container("qcow2" if header.version > 1 else "qcow", source, layers, facts)


def open_vmdk_disk(candidate: Candidate, keys: Keys) -> Container | None:  # noqa: ARG001
    """Open a VMDK disk, given as its sparse file or its descriptor, with its extents and parents."""
    if not candidate.head.startswith(VMDK_MAGIC) and not DESCRIPTOR.match(candidate.head):
        return None
    layers = Layers([candidate.path])
    source, descriptor = open_vmdk(layers)
    if not source.size:
        raise EvidenceError(f"{candidate.path}: a VMDK disk of no size")
    return _container("vmdk", source, layers, {"kind": descriptor.kind, "content_id": descriptor.content_id})


def open_vhd_disk(candidate: Candidate, keys: Keys) -> Container | None:  # noqa: ARG001
    """Open a VHD disk with its parents; a fixed one is raw media that has a footer."""
    if not candidate.head.startswith(VHD_MAGIC) and not candidate.tail[-512:].startswith(VHD_MAGIC):
        return None
    layers = Layers([candidate.path])
    source, footer = open_vhd(layers)
    return _container("vhd", source, layers, {"kind": {2: "fixed", 3: "dynamic"}.get(footer.kind, "differencing")})


def open_vhdx_disk(candidate: Candidate, keys: Keys) -> Container | None:  # noqa: ARG001
    """Open a VHDX disk with its parents."""
    if not candidate.head.startswith(VHDX_MAGIC):
        return None
    layers = Layers([candidate.path])
    source, metadata = open_vhdx(layers)
    return _container("vhdx", source, layers, {"block_size": str(metadata.block), "sector_size": str(metadata.sector)})


def open_apple(candidate: Candidate, keys: Keys) -> Container | None:  # noqa: ARG001
    """Open an Apple disk image: UDIF with its trailer, or a sparse image. One without either is raw media."""
    if candidate.head.startswith(b"sprs"):
        kind = "sparseimage"
    elif candidate.tail[-512:].startswith(b"koly"):
        kind = "dmg"
    else:
        return None
    handle = _open_library(candidate.path, pymodi.handle(), "libmodi")
    source = LibrarySource(handle, _media_size(candidate.path, handle), f"{candidate.path.name} (libmodi)")
    return _container(kind, source, Layers([candidate.path]), {})


def _open_library(path: Path, handle: LibraryDisk, library: str) -> LibraryDisk:
    try:
        handle.open_file_object(SourceFile(FileSource(path)))
    except (OSError, MemoryError, ValueError) as problem:
        raise EvidenceError(f"{path}: {library} cannot open it: {_first_line(problem)}") from problem
    return handle


def _media_size(path: Path, handle: LibraryDisk) -> int:
    size = handle.get_media_size()
    if not 0 < size <= _MAX_MEDIA:
        raise EvidenceError(f"{path}: a disk of {size} bytes")
    return size


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]


def _container(kind: str, source: ByteSource, layers: Layers, facts: dict[str, str]) -> Container:
    return Container(kind, source, tuple(layers.files), facts=facts, notices=tuple(dict.fromkeys(layers.doubts)))
