"""What a scan is asked for, and how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triage.engine.profile import Profile
from triage.engine.steps import BASE_SECONDS
from triage.evidence.entry import OpenOptions
from triage.records import Grade


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What the user asked for. ``plugin_options`` are option objects by plugin id."""

    evidence: tuple[Path, ...]
    case: Path
    profile: Profile
    options: OpenOptions = field(default_factory=OpenOptions)
    plugin_options: Mapping[str, Any] = field(default_factory=dict)
    plugin_folders: tuple[Path, ...] = ()
    hashsets: tuple[Path, ...] = ()
    """Hash sets, or lists to build them from, for all plugins that take some."""
    scheme: str = ""
    """Whose categories the lists hold, see `triage.hashsets.schemes`; built sets know their own."""
    hex64: str = ""
    """What bare 64-digit values in lists are: ``sha256`` or ``pdq``."""
    fragments: tuple[Path, ...] = ()
    """Indexes of the blocks of known files."""
    workers: int = 0
    """Worker processes; 0: one per processor."""
    operator: str = ""
    step_seconds: float = BASE_SECONDS
    """Time limit of one step on one small file, in seconds."""
    verify_media: bool = True
    """Compare the digests that images store over their whole media; may be left to a later run on the same case."""
    memory: int = 0
    """Bytes that one worker may allocate; 0: see `triage.engine.memory`."""


@dataclass(slots=True)
class Progress:
    """How far a scan is, for whoever shows it. Bytes are content bytes."""

    stage: str = ""
    entries: int = 0
    files: int = 0
    files_total: int = 0
    bytes: int = 0
    bytes_total: int = 0
    notices: int = 0
    hits: dict[Grade, int] = field(default_factory=dict)
