"""Run lists of non-resident attributes, in the reading of The Sleuth Kit.

Layout: Russon and Fledel, "NTFS Documentation" (linux-ntfs), "Data Runs". A hole has no offset, or, on NTFS of
Windows NT 4, the offset -1.
"""

from typing import Final, NamedTuple

from triage.evidence.tsk_native import Run

HOLE_RUN: Final = 2
"""``TSK_FS_ATTR_RUN_FLAG_SPARSE``."""


class NotPlain(Exception):
    """What lies here is not of the usual make: only The Sleuth Kit itself gives exactly what it would give."""


class Geometry(NamedTuple):
    """Sizes of a volume: of a cluster and an MFT record in bytes, clusters by the boot sector, bytes that are there.

    ``records`` is the number of MFT records, which is also the address that TSK gives to ``$OrphanFiles``.
    """

    cluster: int
    record: int
    clusters: int
    end: int
    records: int


def decode(runs: bytes, geometry: Geometry) -> tuple[Run, ...]:
    """The runs of an attribute that begins at its first cluster.

    Raises:
        NotPlain: TSK would refuse them, or read them in a way of its own.
    """
    found: list[Run] = []
    place = previous = offset = 0
    size, clusters = len(runs), geometry.clusters
    while place < size:
        head = runs[place]
        width, shift = head & 15, head >> 4
        if not width:
            break
        begin = place + 1
        middle = begin + width
        place = middle + shift
        if width > 8 or shift > 8 or place > size:
            raise NotPlain("a run list is cut off")
        length = int.from_bytes(runs[begin:middle], "little")
        if not 0 < length <= clusters or (not shift and runs[middle - 1] & 0x80):
            raise NotPlain("a run has an odd length")
        delta = int.from_bytes(runs[middle:place], "little", signed=True) if shift else 0
        if delta == -1:
            raise NotPlain("a run is a hole in the way of Windows NT 4, or is not")
        if delta:
            previous += delta
            if previous < 0 or previous + length > clusters:
                raise NotPlain("a run leaves the volume")
            found.append(Run(previous, length, 0, offset))
        else:
            found.append(Run(0, length, HOLE_RUN, offset))
        offset += length
    if len(found) == 1 and found[0].flags and found[0].length == clusters:
        return ()  # $BadClus without bad clusters
    return tuple(found)
