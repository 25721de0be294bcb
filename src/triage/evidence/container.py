"""What opening a path gives: the media as one `ByteSource`, with what the container says about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triage.evidence.entry import FileSystem, Keys
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import NoticeKind

Doubt = tuple[NoticeKind, str]
"""A notice before it has a locator: containers do not know the label of their evidence."""


@dataclass(frozen=True, slots=True)
class Container:
    """An opened image or device.

    ``type`` is one of ``raw``, ``ewf``, ``ewf2``, ``ewf-logical``, ``vmdk``, ``vhd``, ``vhdx``, ``qcow``, ``dmg``,
    ``sparseimage`` and ``device``. ``files`` are all the paths that it consists of, the given one first (segments,
    parent disks).
    ``stored_digests`` are those over the media that the container itself holds, by algorithm, lower-case hex.
    ``file_system`` makes the file system of a container that holds files and not a disk (``ewf-logical``), else `None`.
    """

    type: str
    source: ByteSource
    files: tuple[Path, ...]
    stored_digests: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[Doubt, ...] = ()
    file_system: Callable[[Locator], FileSystem] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A regular file whose container type is not known yet: its size and both its ends."""

    path: Path
    size: int
    head: bytes
    """The first 4 KiB."""
    tail: bytes
    """The last 1 KiB."""


Detector = Callable[[Candidate, Keys], Container | None]
"""Opens a candidate if its content is of the detector's type, else returns `None`."""
