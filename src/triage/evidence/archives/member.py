"""A member of an archive, and the text that stands for its stored name."""

from dataclasses import replace
from typing import Final, NamedTuple

from triage.evidence.entry import Entry, EntryType
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice

LINK_TARGET: Final = 4096
"""Longest content of a link that is taken for its target."""


class Member(NamedTuple):
    """One member, unpacked.

    ``entry.path`` is the path inside the archive and starts with ``/``; ``entry.raw_path`` the stored name, byte for
    byte, where the two differ by more than that slash. ``entry.address`` is the number of the member in the archive,
    from 1, in the order of its directory. ``entry.size`` is what ``source`` holds; without a source it is what the
    archive claims. ``entry.container`` is never empty; as a key of `triage.times.CLOCKS` it says what ``entry.times``
    are, in which members of one archive may differ.

    ``source`` is `None` for what has no content (directories, links) and for what cannot be read. It is valid until
    the next member is asked for. ``reason`` says what is wrong: without it the content is complete and agrees with
    the check values that the archive holds; with it and a source, the source holds what could be read and its digest
    is not that of the file. What lies in the archive as it is and has no check value (tar) is not read beforehand: its
    source may raise `UnreadableBytes` like any file's. A reason may concern many members: it then is equal for all of
    them, and names the archive.
    """

    entry: Entry
    source: ByteSource | None = None
    reason: Notice | None = None


def member_locator(archive: Locator, entry: Entry) -> Locator:
    """Where a member is: the archive's path and address, each followed by the member's."""
    return replace(archive, path=archive.path + entry.path, address=f"{archive.address}/{entry.address}")


def member_path(name: str, number: int, longest: int) -> str:
    r"""The path that shows a stored name: absolute, without empty and ``.`` parts, and with ``..`` made harmless.

    >>> member_path("../../etc//passwd", 1, 100), member_path("C:/a\0b/", 2, 100), member_path("", 3, 100)
    ('/\\x2e\\x2e/\\x2e\\x2e/etc/passwd', '/C:/a\\x00b', '/(no name 3)')
    """
    if name and "//" not in name and "." not in name[:1] and "/." not in name and "\0" not in name:
        path = "/" + name.strip("/")  # nearly all names
    else:
        parts = [r"\x2e\x2e" if part == ".." else part for part in name.split("/") if part not in ("", ".")]
        path = "/" + "/".join(parts).replace("\0", "\\x00")
    if path == "/":
        return f"/(no name {number})"
    return path if len(path) <= longest else f"{path[:longest]}…"


def raw_name(stored: bytes, path: str) -> bytes:
    """What belongs into `Entry.raw_path` for a member."""
    return b"" if path[1:].encode("utf-8", "surrogatepass") == stored else stored


def with_target(entry: Entry, source: ByteSource) -> Entry:
    """A symbolic link with what its content says that it leads to."""
    if entry.type != EntryType.SYMLINK or entry.link_target or source.size > LINK_TARGET:
        return entry
    try:
        return entry._replace(link_target=source.read_at(0, source.size).decode("utf-8", "backslashreplace"))
    except UnreadableBytes:
        return entry  # the member itself says so
