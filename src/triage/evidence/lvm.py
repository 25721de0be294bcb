"""Logical volumes of Linux LVM2: linear and striped, over one or several physical volumes of the same evidence.

Own code, because the physical volumes of a group can lie anywhere in an evidence, and because libvslvm reads linear
volumes only. Snapshots, thin pools, caches and RAID segments are named and not read.

References: lvm2 source ``lib/format_text/layout.h`` (label, headers, circular text area) and
``lib/format_text/import_vsn1.c`` (the text).
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from triage.evidence.entry import OpenOptions
from triage.evidence.layout import ORIGIN, UNRECOGNISED, Layout, Member, Part, child_id
from triage.evidence.lvm_map import LogicalSource, Segment, Stripe
from triage.evidence.lvm_text import GrammarError, Tree, parse
from triage.evidence.source import ByteSource, Slice
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

SECTOR: Final = 512
MAX_TEXT: Final = 16 << 20
MAX_LOGICAL: Final = 512
MAX_SEGMENTS: Final = 65_536
MAX_STRIPES: Final = 128

_AREA_MAGIC: Final = b" LVM2 x[5A%r0N*>"
_CRC_START: Final = 0xF597A6CF


@dataclass(frozen=True, slots=True)
class _Label:
    uuid: str
    areas: tuple[tuple[int, int], ...]


def detect(source: ByteSource, locator: Locator, _options: OpenOptions) -> Layout | None:
    """The physical volume at the start of ``source``; its group is put together when all of the evidence was seen."""
    label = _label(source)
    if label is None:
        return None
    text = next((text for area in label.areas if (text := _text(source, *area))), "")
    group = Group("", label.uuid, {})
    notices: tuple[Notice, ...] = ()
    try:
        if text:
            group = _group(text, label.uuid)
    except (GrammarError, KeyError, TypeError, ValueError) as error:
        message = f"the metadata of this LVM physical volume is not usable: {error}"
        notices = (notice(NoticeKind.DAMAGED, locator, message, ORIGIN),)
    if not text and label.areas:
        message = "the metadata of this LVM physical volume cannot be found or its check value does not match"
        notices = (notice(NoticeKind.DAMAGED, locator, message, ORIGIN),)
    about = f"LVM2 physical volume {label.uuid}" + (f' of group "{group.name}"' if group.name else "")
    assemble = group.assemble if group.name else None
    return Layout("lvm", about, notices=notices, member=Member("lvm", label.uuid, source, group.id, assemble))


@dataclass(frozen=True, slots=True)
class Group:
    """A volume group as one physical volume's metadata describe it; ``tree`` is the section of the group."""

    name: str
    id: str
    tree: Tree

    def assemble(self, members: Mapping[str, ByteSource], locator: Locator) -> Layout:
        """The logical volumes of the group, out of the physical volumes at hand (by UUID).

        What lies on a missing physical volume cannot be read and is named in a notice.
        """
        parts: list[Part] = []
        notices: list[Notice] = []
        try:
            logical, disks = _section(self.tree, "logical_volumes"), _Disks(self.tree, members)
        except GrammarError as error:
            text = f"the metadata of the LVM volume group are not usable: {error}"
            return Layout("lvm", notices=(notice(NoticeKind.DAMAGED, locator, text, ORIGIN),))
        names = [name for name, lv in logical.items() if isinstance(lv, dict) and "VISIBLE" in _texts(lv.get("status"))]
        if len(names) > MAX_LOGICAL:
            text = f"{len(names)} logical volumes: the first {MAX_LOGICAL} are examined"
            notices.append(notice(NoticeKind.LIMIT, locator, text, ORIGIN))
        for name in names[:MAX_LOGICAL]:
            part, doubt = _logical(name, _section(logical, name), disks, {part.id for part in parts})
            parts.append(part)
            if doubt is not None:
                kind, text = doubt
                where = replace(locator, volume=child_id(locator.volume, part.id))
                notices.append(notice(kind, where, text, ORIGIN))
        return Layout("lvm", parts=tuple(parts), notices=tuple(notices))


class _Disks:
    """The physical volumes of a group by the names that the metadata give them."""

    def __init__(self, tree: Tree, members: Mapping[str, ByteSource]) -> None:
        self.extent = _number(tree, "extent_size") * SECTOR
        if self.extent <= 0:
            raise GrammarError("extents without a size")
        self._sources: dict[str, tuple[ByteSource | None, int]] = {}
        for name, disk in _section(tree, "physical_volumes").items():
            if isinstance(disk, dict):
                found = members.get(str(disk.get("id", "")).replace("-", ""))
                self._sources[name] = (found, _number(disk, "pe_start") * SECTOR)

    def stripe(self, name: str, extent: int) -> Stripe:
        """Where extent number ``extent`` of a physical volume begins.

        Raises:
            KeyError: ``name`` is no physical volume. GrammarError: it is before the start of one.
        """
        source, start = self._sources[name]
        if extent < 0 or start < 0:
            raise GrammarError(f"extent {extent} from byte {start} on")
        return Stripe(name, source, start + extent * self.extent)


def _logical(name: str, tree: Tree, disks: _Disks, taken: set[str]) -> tuple[Part, tuple[NoticeKind, str] | None]:
    safe = "lv-" + re.sub(r"[^A-Za-z0-9+_.-]", "_", name)
    part_id, number = safe, 1
    while part_id in taken:
        number += 1
        part_id = f"{safe}.{number}"
    part = Part(part_id, "lvm", 0, 0, f'logical volume "{name}"')
    try:
        segments = _segments(tree, disks)
    except (GrammarError, KeyError, TypeError, ValueError) as error:
        text = f'logical volume "{name}" is not examined: {error}'
        return replace(part, state=UNRECOGNISED), (NoticeKind.UNSUPPORTED, text)
    source = LogicalSource(segments)
    missing = sorted({stripe.disk for s in segments for stripe in s.stripes if stripe.source is None})
    if missing:
        text = f"physical volume {', '.join(missing)} of this logical volume is not in this evidence"
        return replace(part, size=source.size, source=source), (NoticeKind.UNREADABLE, text)
    return replace(part, size=source.size, source=_direct(segments) or source), None


def _direct(segments: list[Segment]) -> Slice | None:
    """A volume in one piece is a plain part of its physical volume: the reading order can then follow the disk."""
    if len(segments) == 1 and len(segments[0].stripes) == 1:
        stripe = segments[0].stripes[0]
        if stripe.source is not None and stripe.offset + segments[0].size <= stripe.source.size:
            return Slice(stripe.source, stripe.offset, segments[0].size)
    return None


def _segments(tree: Tree, disks: _Disks) -> list[Segment]:
    count = _number(tree, "segment_count")
    if not 0 < count <= MAX_SEGMENTS:
        raise GrammarError(f"{count} segments")
    found: list[Segment] = []
    for number in range(1, count + 1):
        segment = _section(tree, f"segment{number}")
        kind = segment.get("type")
        if kind not in ("striped", "linear"):
            raise GrammarError(f"segments of type {kind} are not supported")
        stripes = segment.get("stripes")
        if not isinstance(stripes, list) or not 0 < len(stripes) // 2 <= MAX_STRIPES:
            raise GrammarError("impossible stripes")
        places = tuple(
            disks.stripe(str(disk), int(str(extent))) for disk, extent in zip(stripes[::2], stripes[1::2], strict=True)
        )
        size = _number(segment, "extent_count") * disks.extent
        chunk = _number(segment, "stripe_size") * SECTOR if len(places) > 1 else size
        if size <= 0 or chunk <= 0 or _number(segment, "start_extent") * disks.extent != sum(s.size for s in found):
            raise GrammarError(f"segment {number} does not follow the one before")
        found.append(Segment(size, chunk, places))
    return found


def _label(source: ByteSource) -> _Label | None:
    for sector in range(4):
        data = source.read_at(sector * SECTOR, SECTOR)
        if len(data) < SECTOR or data[:8] != b"LABELONE" or data[24:32] != b"LVM2 001":
            continue
        (at,) = struct.unpack_from("<I", data, 20)
        if struct.unpack_from("<Q", data, 8)[0] != sector or not 32 <= at <= 384:
            continue
        uuid = data[at : at + 32].decode("ascii", "backslashreplace")
        pairs = [struct.unpack_from("<QQ", data, place) for place in range(at + 40, SECTOR - 15, 16)]
        ends = [n for n, pair in enumerate(pairs) if pair == (0, 0)]
        areas = pairs[ends[0] + 1 : ends[1]] if len(ends) > 1 else []
        return _Label(uuid, tuple((offset, size) for offset, size in areas))
    return None


def _text(source: ByteSource, offset: int, area: int) -> str:
    """The current text of a metadata area, or ``""``; the area is circular behind its header of one sector."""
    head = source.read_at(offset, SECTOR)
    if len(head) < SECTOR or head[4:20] != _AREA_MAGIC:
        return ""
    start, size, crc, flags = struct.unpack_from("<QQII", head, 40)
    if flags & 1 or not SECTOR <= start < area or not 0 < size <= min(MAX_TEXT, area):
        return ""
    first = source.read_at(offset + start, min(size, area - start))
    data = first + source.read_at(offset + SECTOR, size - len(first))
    if zlib.crc32(data, _CRC_START ^ 0xFFFF_FFFF) ^ 0xFFFF_FFFF != crc:
        return ""
    return data.rstrip(b"\0").decode("utf-8", "backslashreplace")


def _group(text: str, uuid: str) -> Group:
    tree = parse(text)
    name = next((key for key, value in tree.items() if isinstance(value, dict) and "physical_volumes" in value), "")
    if not name:
        raise GrammarError(f"no volume group in the metadata of {uuid}")
    group = _section(tree, name)
    return Group(name, f"{group['id']} {_number(group, 'seqno'):012d}", group)


def _section(tree: Tree, name: str) -> Tree:
    found = tree.get(name, {})
    if not isinstance(found, dict):
        raise GrammarError(f"{name} is not a section")
    return found


def _number(tree: Tree, name: str) -> int:
    found = tree.get(name)
    if not isinstance(found, int):
        raise GrammarError(f"{name} is not a number")
    return found


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
