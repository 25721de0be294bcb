"""APFS containers as a volume system: one volume for each APFS volume, unlocked where a given key fits."""

from dataclasses import dataclass, field, replace
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.apfs import ApfsVolume, apfs_volumes, is_apfs
from triage.evidence.encrypted import locked
from triage.evidence.entry import Keys, OpenOptions
from triage.evidence.layout import LOCKED, OPEN, ORIGIN, UNLOCKED, UNRECOGNISED, Layout, Part, child_id
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_SCHEME: Final = "APFS"


def detect(source: ByteSource, locator: Locator, options: OpenOptions) -> Layout | None:
    """The APFS container at the start of ``source``, with its volumes as ``apfs1`` … in the order of the container."""
    if not is_apfs(source):
        return None
    try:
        volumes = apfs_volumes(source)
    except EvidenceError as error:
        text = f"the APFS container cannot be opened: {error}"
        doubt = notice(NoticeKind.DAMAGED, locator, text, ORIGIN)
        return Layout("apfs", "APFS container", notices=(doubt,), state=UNRECOGNISED)
    parts: list[Part] = []
    doubts: list[Notice] = []
    opened = refused = False
    for number, volume in enumerate(volumes, 1):
        result = _open(volume, number, source, locator, options.keys)
        parts.append(result.part)
        doubts += result.notices
        opened |= result.part.state == UNLOCKED
        refused |= result.refused
    # A key that opened one volume of the container was not a wrong one.
    return Layout(
        "apfs",
        f"APFS container with {len(volumes)} volume(s)",
        tuple(parts),
        tuple(doubts),
        state=UNLOCKED if opened else OPEN,
        wrong_key=refused and not opened,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    part: Part
    notices: tuple[Notice, ...] = field(default=())
    refused: bool = False


def _open(volume: ApfsVolume, number: int, source: ByteSource, locator: Locator, keys: Keys) -> _Opened:
    where = replace(locator, volume=child_id(locator.volume, f"apfs{number}"))
    part = Part(f"apfs{number}", "apfs", 0, source.size, f'"{volume.name}" {volume.identifier}', state=OPEN)
    try:
        if volume.is_locked and not _unlock(volume, keys):
            closed = locked(_SCHEME, "", where, keys)
            about = f"{part.description}; {closed.description}"
            return _Opened(replace(part, state=LOCKED, description=about), closed.notices, closed.wrong_key)
        state = UNLOCKED if volume.is_encrypted else OPEN
        return _Opened(replace(part, state=state, file_systems=(volume.file_system(where),)))
    except EvidenceError as error:
        text = f"the APFS volume cannot be opened: {error}"
        doubt = notice(NoticeKind.UNREADABLE, where, text, ORIGIN)
        return _Opened(replace(part, state=UNRECOGNISED), (doubt,))


def _unlock(volume: ApfsVolume, keys: Keys) -> bool:
    if any(volume.unlock(password) for password in keys.passwords):
        return True
    # A recovery key of FileVault has letters, so none can be told apart from a password by its form.
    return any(volume.unlock_with_recovery_key(key) for key in (*keys.recovery_keys, *keys.passwords))
