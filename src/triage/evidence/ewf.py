"""Disk images in the Expert Witness Compression Format 1 (``.E01`` of EnCase and FTK Imager, ``.s01`` of SMART).

Read here and not through libewf, because its Python wheel inflates several times slower than ISA-L does; libewf
stays for what this does not read, and as the oracle of the tests. `triage.evidence.ewf_source` has the reading itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from triage.errors import EvidenceError
from triage.evidence.container import Candidate, Container, Doubt
from triage.evidence.entry import Keys
from triage.evidence.ewf_header import read_header_facts
from triage.evidence.ewf_lib import open_with_libewf
from triage.evidence.ewf_logical import MAX_TREE, LogicalFileSystem, parse_tree
from triage.evidence.ewf_sections import (
    LOGICAL,
    LOGICAL_SIGNATURE,
    SIGNATURE,
    Segment,
    Volume,
    read_acquisition_errors,
    read_digests,
    read_segment,
    read_volume,
    segment_number,
)
from triage.evidence.ewf_set import find_segments
from triage.evidence.ewf_source import EwfSource, Placed, place
from triage.evidence.ewf_tables import Gap, Piece, TableReader
from triage.evidence.files import FileSet
from triage.evidence.integrity import MediaDigest, digest_media
from triage.evidence.source import UnreadableBytes
from triage.notices import NoticeKind


def open_ewf(candidate: Candidate, keys: Keys) -> Container | None:
    """Open the first segment of an EWF-E01 or EWF-S01 image; libewf gets those whose structure is not understood here.

    Raises:
        EvidenceError: a later segment was given, or neither reader can make sense of the image.
    """
    if not candidate.head.startswith((SIGNATURE, LOGICAL_SIGNATURE)):
        return None
    paths, doubts = find_segments(candidate.path, segment_number)
    if candidate.head.startswith(LOGICAL_SIGNATURE):
        return _open(paths, doubts)
    try:
        return _open(paths, doubts)
    except EvidenceError as refused:
        try:
            return open_with_libewf(
                candidate.path, keys, "ewf", (NoticeKind.DAMAGED, f"read through libewf, because {refused}")
            )
        except EvidenceError as problem:
            raise refused from problem


def _open(paths: dict[int, Path], doubts: list[Doubt]) -> Container:
    numbers = sorted(paths)
    files = FileSet([paths[number] for number in numbers])
    present = [read_segment(files, index) for index in range(len(numbers))]
    volume, volume_doubts = read_volume(files, present)
    if volume is None:
        files.close()
        raise EvidenceError(f"{paths[1]}: no section of this EWF image states the size of its media")
    present = _of_one_set(files, present, doubts)
    reader = TableReader(files, volume)
    pieces = _pieces(present, reader, doubts)
    placed, place_doubts = place(pieces, volume, complete=present[-1].ending == "done")
    source = EwfSource(files, volume, placed, volume.size)
    try:
        if volume_doubts:
            _confirm_geometry(source, paths[1])
        tail = _partial_sector(source, volume, placed)
        digests, digest_doubts = read_digests(files, present)
        facts, header_doubts = read_header_facts(files, present)
        errors, error_doubts = read_acquisition_errors(files, present)
    except EvidenceError:
        source.close()
        raise
    source.size += tail
    facts |= _geometry(volume, len(paths))
    doubts += [doubt for segment in present for doubt in segment.doubts]
    doubts += [*volume_doubts, *reader.doubts, *place_doubts, *digest_doubts, *header_doubts, *error_doubts]
    doubts += [*_completeness(source, present[-1], files), *_acquisition(errors), *_tail(tail)]
    if volume.chunks not in (source.chunks, -(-volume.size // volume.chunk_size)):
        message = f"the volume section states {volume.chunks} chunks, its sectors make {source.chunks}"
        doubts.append((NoticeKind.DAMAGED, f"{message}; the sectors are used"))
    container = Container("ewf", source, files.paths, digests, facts, tuple(dict.fromkeys(doubts)))
    return _with_tree(container, files, present) if volume.media_type == LOGICAL else container


def _with_tree(container: Container, files: FileSet, segments: Sequence[Segment]) -> Container:
    """A logical evidence file: the same, with a file system instead of volumes."""
    section = next((s for segment in segments for s in segment.of_kind("ltree")), None)
    index = next((segment.index for segment in segments if segment.of_kind("ltree")), 0)
    stored = files.read(index, section.data, min(section.end - section.data, MAX_TREE)) if section else b""
    tree = parse_tree(stored)
    system = partial(LogicalFileSystem, container.source, tree)
    return replace(container, type="ewf-logical", file_system=system)


def _confirm_geometry(source: EwfSource, path: Path) -> None:
    """Chunks of another size than a damaged volume section states would all be put in the wrong place."""
    stored = len(source.stored_chunk(0))
    if stored != min(source.chunk_size, source.size):
        raise EvidenceError(
            f"{path}: the volume section is damaged, and its chunks of {source.chunk_size} bytes have {stored}"
        )


def _of_one_set(files: FileSet, segments: list[Segment], doubts: list[Doubt]) -> list[Segment]:
    """The segments that carry the identifier of the first one or none at all.

    A file of another image under the right name would otherwise put that image's data in the middle of this one.
    """
    kept: list[Segment] = []
    first = ""
    for segment in segments:
        volume, _ = read_volume(files, [segment])
        identifier = volume.identifier if volume else ""
        first = first or identifier
        if identifier in ("", first):
            kept.append(segment)
        else:
            name = files.paths[segment.index].name
            doubts.append((NoticeKind.DAMAGED, f"{name} belongs to another image ({identifier}); it is left out"))
    return kept


def _pieces(segments: Sequence[Segment], reader: TableReader, doubts: list[Doubt]) -> list[Piece]:
    pieces: list[Piece] = []
    by_number = {segment.number: segment for segment in segments}
    for before, number in pairwise([0, *sorted(by_number)]):
        if number > before + 1:
            missing = (
                f"segment {before + 1} is" if number == before + 2 else f"segments {before + 1} to {number - 1} are"
            )
            doubts.append((NoticeKind.TRUNCATED, f"{missing} missing from the set"))
            pieces.append(Gap(None))
        pieces.extend(reader.pieces(by_number[number]))
    return pieces


def _partial_sector(source: EwfSource, volume: Volume, placed: Sequence[Placed]) -> int:
    """Bytes of media behind the last whole sector; negative for logical evidence that ends before it.

    The volume section counts whole sectors only, but ewfacquire stores, and digests, all bytes of a file that does not
    end with a sector; a reader that trusts the count finds a digest that does not match.
    """
    stored = placed[-1].first + placed[-1].table.count if placed else 0
    total = source.chunks
    if stored not in (total, total + 1):
        return 0
    try:
        last = len(source.stored_chunk(stored - 1))
    except UnreadableBytes:
        return 0
    tail = (stored - 1) * source.chunk_size + last - volume.size
    if volume.media_type == LOGICAL:
        return min(tail, volume.bytes_per_sector)  # files end anywhere, and their sectors are rounded up
    return tail if 0 < tail < volume.bytes_per_sector else 0


def _tail(tail: int) -> list[Doubt]:
    message = f"the media ends with {tail} bytes that fill no whole sector; they are stored and digested, and read here"
    return [(NoticeKind.REMARK, message)] if tail > 0 else []


def _completeness(source: EwfSource, last: Segment, files: FileSet) -> list[Doubt]:
    doubts: list[Doubt] = []
    if last.ending == "next":
        doubts.append(
            (
                NoticeKind.TRUNCATED,
                f"the set goes on after {files.paths[last.index].name}, but that is its last file here",
            )
        )
    if last.of_kind("incomplete"):
        doubts.append((NoticeKind.TRUNCATED, "the acquisition states itself to be incomplete"))
    present, total = source.chunks_present, source.chunks
    if present < total:
        message = f"{present} of {total} chunks are present; reading the others fails"
        doubts.append((NoticeKind.TRUNCATED, message))
    return doubts


def _acquisition(errors: Sequence[tuple[int, int]]) -> list[Doubt]:
    if not errors:
        return []
    sectors = sum(count for _, count in errors)
    first = ", ".join(f"{start}+{count}" for start, count in errors[:8]) + (" …" if len(errors) > 8 else "")
    message = f"{sectors} sectors could not be read when the image was acquired and are stored as zeros"
    return [(NoticeKind.UNREADABLE, f"{message} (first sector+count: {first})")]


def _geometry(volume: Volume, segments: int) -> dict[str, str]:
    kinds = {0: "removable", 1: "fixed", 3: "optical", 14: "logical", 16: "memory"}
    facts = {
        "segments": str(segments),
        "bytes_per_sector": str(volume.bytes_per_sector),
        "sectors": str(volume.sectors),
        "chunk_size": str(volume.chunk_size),
    }
    if not volume.smart:
        facts["media_type"] = kinds.get(volume.media_type, str(volume.media_type))
        facts["media"] = "physical device" if volume.media_flags & 2 else "logical volume"
        facts["set_identifier"] = volume.identifier or "none"
    return facts


def verify(source: EwfSource, progress: Callable[[int], None] | None = None) -> MediaDigest:
    """MD5 and SHA-1 over all media in order, and the ranges of damaged and missing chunks; see `digest_media`."""
    return digest_media(source, ("md5", "sha1"), progress)
