"""The one entrance to evidence: from a path to an opened `Evidence`.

Everything that is recognised is listed here, in the order in which it is tried.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence import apfs_container, bitlocker, corestorage, luks, lvm, partitions, shadow, tsk, vfs
from triage.evidence.container import Container
from triage.evidence.containers import open_container
from triage.evidence.entry import Evidence, OpenOptions, Volume
from triage.evidence.folder import open_folder
from triage.evidence.layout import OPEN
from triage.evidence.volumes import Detectors, Found, find_volumes
from triage.locator import Locator
from triage.notices import notice

DETECTORS: Final = Detectors(
    # Encryption first: BitLocker To Go carries a FAT file system for show, and LUKS may lie where another table was.
    structures=(
        bitlocker.detect,
        luks.detect,
        corestorage.detect,
        lvm.detect,
        apfs_container.detect,
        partitions.detect,
    ),
    # TSK first: it knows where content lies, and what was deleted.
    file_systems=(tsk.detect, vfs.detect),
    followers=(shadow.detect,),
)

Opener = Callable[[Path, str, OpenOptions], Evidence | None]


def open_evidence(path: Path, label: str, options: OpenOptions) -> Evidence:
    """Open a folder, an image or a device for reading.

    ``label`` becomes the evidence part of all locators. The same path and options give the same volumes, ids and
    locators in every process. What is encrypted, damaged or unknown inside is listed with its state and a notice.

    Raises:
        UnsupportedEvidence: nothing is there, or it is empty or neither folder, file nor device.
        CredentialError: keys were given and none opens any of what is encrypted here.
        EvidenceError: it cannot be read at all.
    """
    try:
        found = (opener(path, label, options) for opener in OPENERS)
        evidence = next((opened for opened in found if opened is not None), None)
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror or error}") from error
    if evidence is None:
        raise UnsupportedEvidence(f"{path}: {'neither folder, file nor device' if path.exists() else 'does not exist'}")
    return evidence


def evidence_label(path: Path, taken: Collection[str]) -> str:
    """The file name, made unique among ``taken`` with a number.

    >>> evidence_label(Path("/mnt/disk.E01"), {"disk.E01"})
    'disk.E01 (2)'
    """
    name = path.name or path.resolve().name or str(path)
    label, number = name, 1
    while label in taken:
        number += 1
        label = f"{name} ({number})"
    return label


def _folder(path: Path, label: str, _options: OpenOptions) -> Evidence | None:
    return open_folder(path, label) if path.is_dir() else None


def _image(path: Path, label: str, options: OpenOptions) -> Evidence | None:
    if not (path.is_file() or path.is_block_device()):
        return None
    container = open_container(path, options.keys)
    if container.source.size == 0 and container.file_system is None:
        raise UnsupportedEvidence(f"{path}: is empty")
    locator = Locator(label)
    found = _contents(container, locator, options)
    doubts = tuple(notice(kind, locator, message, "evidence.containers") for kind, message in container.notices)
    return Evidence(
        label,
        path,
        container.type,
        container.source.size,
        container.files,
        container.source,
        found.volumes,
        container.stored_digests,
        container.facts,
        doubts + found.notices,
    )


def _contents(container: Container, locator: Locator, options: OpenOptions) -> Found:
    if container.file_system is None:
        return find_volumes(container.source, locator, options, DETECTORS)
    system = container.file_system(locator)
    return Found((Volume("", container.type, 0, container.source.size, OPEN, file_systems=(system,)),), ())


OPENERS: Final[tuple[Opener, ...]] = (_folder, _image)
