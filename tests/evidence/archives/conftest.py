"""Open an archive in memory and keep what comes out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from triage.evidence.archives.member import Member
from triage.evidence.archives.open import open_archive
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind
from triage.times import CLOCKS


@dataclass
class Listing:
    members: list[Member] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)

    def __getitem__(self, path: str) -> Member:
        return next(member for member in self.members if member.entry.path == path)

    @property
    def paths(self) -> list[str]:
        return [member.entry.path for member in self.members]

    @property
    def reasons(self) -> list[Notice]:
        return [member.reason for member in self.members if member.reason is not None]

    @property
    def kinds(self) -> set[NoticeKind]:
        return {notice.kind for notice in (*self.notices, *self.reasons)}


Unpack = Callable[..., Listing]


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    """Open ``data`` as an archive of type ``mime`` and check what must hold for every archive there is."""

    def run(data: bytes | ByteSource, mime: str, name: str = "a.bin", **options: Any) -> Listing:
        source = MemorySource(data) if isinstance(data, bytes) else data
        locator = Locator("disk", "p1", f"/{name}", "7")
        found = open_archive(source, mime, name, locator, tmp_path, **options)
        assert found is not None
        listing = Listing()
        for item in found:
            if isinstance(item, Notice):
                listing.notices.append(item)
                continue
            listing.members.append(item)
            assert item.entry.path.startswith("/") and len(item.entry.path) > 1
            assert "\0" not in item.entry.path and "/../" not in f"{item.entry.path}/"
            assert item.entry.container in CLOCKS
            if item.source is not None:
                try:
                    content = item.source.read_at(0, item.source.size)
                except UnreadableBytes:
                    assert item.reason is not None or item.entry.container.startswith("tar")
                    continue
                assert len(content) == item.source.size == item.entry.size
                listing.contents[item.entry.path] = content
        assert list(tmp_path.iterdir()) == []
        return listing

    return run
