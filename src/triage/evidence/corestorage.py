"""CoreStorage with FileVault 2, through libfvde. The only module that touches pyfvde.

The physical volume header has the signature ``CS`` at offset 88, version 1 or 2 at offset 8 and its own UUID at
offset 304, encryption method at 172 (2: AES-XTS). A logical volume over several physical volumes (Fusion Drive) is
put together when all were seen. Reference: libyal, FileVault Drive Encryption (FVDE) format.
"""

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pyfvde

from triage.evidence.encrypted import locked
from triage.evidence.entry import Keys, OpenOptions
from triage.evidence.filelike import LibrarySource, SourceFile
from triage.evidence.layout import LOCKED, ORIGIN, UNLOCKED, UNRECOGNISED, Layout, Member, Part, child_id
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

NAME: Final = "FileVault 2"
_MAX_LOGICAL: Final = 64


def detect(source: ByteSource, _locator: Locator, options: OpenOptions) -> Layout | None:
    """The CoreStorage physical volume at the start of ``source``; its group is opened when all evidence was seen."""
    head = source.read_at(0, 512)
    if len(head) < 512 or head[88:90] != b"CS" or struct.unpack_from("<H", head, 8)[0] not in (1, 2):
        return None
    own, group = (str(uuid.UUID(bytes=head[at : at + 16])) for at in (304, 320))
    opener = _Opener(own, options.keys)
    about = f"CoreStorage physical volume {own} of group {group}"
    return Layout("corestorage", about, member=Member("corestorage", own, source, f"{group} 1", opener.assemble))


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens a group starting from the physical volume ``first``."""

    first: str
    keys: Keys

    def assemble(self, members: Mapping[str, ByteSource], locator: Locator) -> Layout:
        """The logical volumes as ``fvde1`` …, unlocked where a given key fits."""
        files = [SourceFile(source) for source in self._ordered(members)]
        try:
            volume = pyfvde.volume()
            volume.open_file_object(files[0])
            volume.open_physical_volume_files_as_file_objects(files)
            group = volume.get_volume_group()
            count = group.get_number_of_logical_volumes()
        except OSError as error:
            return locked(NAME, "", locator, self.keys, reason=_short(error))
        keep = (volume, group, files)
        layouts = [self._logical(group, index, keep, locator) for index in range(min(count, _MAX_LOGICAL))]
        opened = any(layout.state == UNLOCKED for layout in layouts)
        return Layout(
            "corestorage",
            parts=tuple(part for layout in layouts for part in layout.parts),
            notices=tuple(doubt for layout in layouts for doubt in layout.notices),
            state=UNLOCKED if opened else LOCKED,
            wrong_key=not opened and any(layout.wrong_key for layout in layouts),
        )

    def _ordered(self, members: Mapping[str, ByteSource]) -> list[ByteSource]:
        others = [source for own, source in members.items() if own != self.first]
        return [members[self.first], *others]

    def _logical(self, group: "pyfvde.volume_group", index: int, keep: object, locator: Locator) -> Layout:
        part = Part(f"fvde{index + 1}", "corestorage", 0, 0)
        where = replace(locator, volume=child_id(locator.volume, part.id))
        try:
            logical = group.get_logical_volume(index)
            size = int(logical.get_size())
            part = replace(part, size=size, description=f'logical volume "{logical.get_name() or ""}"')
            if logical.is_locked() and not self._unlock(logical):
                closed = locked(NAME, "aes-xts", where, self.keys)
                about = f"{part.description}; {closed.description}"
                return replace(closed, parts=(replace(part, state=LOCKED, description=about),))
            source = LibrarySource(logical, size, NAME, keep)
            return Layout("corestorage", parts=(replace(part, source=source, found_state=UNLOCKED),), state=UNLOCKED)
        except OSError as error:
            text = f"the CoreStorage logical volume cannot be opened: {_short(error)}"
            doubts: tuple[Notice, ...] = (notice(NoticeKind.DAMAGED, where, text, ORIGIN),)
            return Layout("corestorage", parts=(replace(part, state=UNRECOGNISED),), notices=doubts)

    def _unlock(self, logical: "pyfvde.logical_volume") -> bool:
        for password in self.keys.passwords:
            logical.set_password(password)
            if logical.unlock():
                return True
        for key in (*self.keys.recovery_keys, *self.keys.passwords):
            logical.set_recovery_password(key)
            if logical.unlock():
                return True
        return False


def _short(error: OSError) -> str:
    return str(error).partition(". ")[0]
