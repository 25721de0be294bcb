"""From a path to a container: one ordered tuple of detectors, each of which goes by content and never by name."""

import stat
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.container import Candidate, Detector
from triage.evidence.container import Container as Container
from triage.evidence.device import is_device, open_device
from triage.evidence.entry import Keys
from triage.evidence.ewf import open_ewf
from triage.evidence.ewf_lib import open_ewf2
from triage.evidence.files import OpenFile, read_exactly
from triage.evidence.raw import open_raw
from triage.evidence.virtual import (
    open_apple,
    open_qcow_disk,
    open_vhd_disk,
    open_vhdx_disk,
    open_vmdk_disk,
    refuse_unread,
)

# Signatures at the start of a file come before those at its end, which a raw image may hold by chance in its last
# sector; what nothing recognises is raw.
DETECTORS: Final[tuple[Detector, ...]] = (
    open_ewf,
    open_ewf2,
    open_qcow_disk,
    open_vmdk_disk,
    open_vhdx_disk,
    refuse_unread,
    open_vhd_disk,
    open_apple,
    open_raw,
)
_HEAD: Final = 4096
_TAIL: Final = 1024


def open_container(path: Path, keys: Keys) -> Container:
    """Open an image file.

    Opening reads headers and chunk tables, never media.

    Raises:
        EvidenceError: there is no such file, it is empty, or it is of a known type and cannot be opened.
        UnsupportedEvidence: a known type that nothing here reads.
    """
    if is_device(path):
        return open_device(path)
    candidate = _candidate(path)
    for detector in DETECTORS:
        container = detector(candidate, keys)
        if container is not None:
            return container
    raise EvidenceError(f"{path}: no detector takes it")


def _candidate(path: Path) -> Candidate:
    try:
        status = path.stat()
    except (OSError, ValueError) as problem:
        raise EvidenceError(f"{path}: cannot be opened: {getattr(problem, 'strerror', None) or problem}") from problem
    if not stat.S_ISREG(status.st_mode):
        raise EvidenceError(f"{path}: neither a regular file nor a block device")
    if status.st_size == 0:
        raise EvidenceError(f"{path}: the file is empty")
    with OpenFile(path) as handle:
        try:
            head = read_exactly(handle, 0, _HEAD)
            tail = read_exactly(handle, max(0, status.st_size - _TAIL), _TAIL)
        except OSError as problem:
            raise EvidenceError(f"{path}: cannot be read: {problem.strerror}") from problem
    return Candidate(path, status.st_size, head, tail)
