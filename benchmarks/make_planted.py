"""Makes the image for finding known pictures: 200 of them planted in nine ways among 2,200 others.

    sudo python benchmarks/make_planted.py DIR

Needs root and mkntfs, ntfs-3g (mounts through FUSE), umount, 7zz and icat. All pictures are drawn and all text is made
from fixed seeds (`bench/scenes.py`). Besides ``planted.raw`` (NTFS, 512 MiB, sparse) it writes ``known.csv``, the list
of the 200; ``truth.jsonl``, how and where each was planted; and ``others.txt``, the paths of all files that are no
copies of them: 1,500 pictures, one in five with the light, horizon and hills of a known one, 60 that show the scene of
a known one a moment later, and 700 documents.
"""

import argparse
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.planting import (
    BURSTS,
    FOLDER,
    Original,
    Truth,
    Way,
    bundles,
    originals,
    planted_bytes,
    planted_path,
    tarred,
    truth,
    way_of,
    write_held,
    write_known,
    write_others,
    write_truth,
    zipped,
)
from bench.scenes import saved, scene
from make_laptop import body, code_like, run

SIZE = 512 << 20
CLUSTER = 4096
SEED = 20261122
KNOWN = 200
PICTURES, DOCUMENTS = 1_500, 700
BURST = 60
SMALL = (640, 480)
BITMAP = "6-128"
"""Address of the volume's $Bitmap as icat takes it."""


def main() -> None:
    """Build the image and what belongs to it in the folder that is named."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--known", type=int, default=KNOWN, help="known pictures to plant")
    chosen = options.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    build(chosen.folder, chosen.known)


def build(folder: Path, count: int) -> None:
    """Make the file system, fill it, delete some, and write the others into free clusters."""
    began = time.perf_counter()
    known = list(originals(count))
    write_known(folder / "known.csv", known)
    write_held(folder / "held", known)
    raw = folder / "planted.raw"
    raw.unlink(missing_ok=True)
    with raw.open("wb") as out:
        out.truncate(SIZE)
    run(
        "mkntfs", "-F", "-Q", "-q", "-p", "0", "-s", "512", "-H", "255", "-S", "63", "-c", CLUSTER, "-L", "PLANTED", raw
    )
    with tempfile.TemporaryDirectory() as mounted:
        run("ntfs-3g", raw, mounted, "-o", "big_writes")
        try:
            planted, others = fill(Path(mounted), known)
        finally:
            run("umount", mounted)
    planted += plant_without_names(raw, [one for one in known if way_of(one.number) is Way.UNALLOCATED])
    write_truth(folder / "truth.jsonl", sorted(planted, key=lambda one: one.original))
    write_others(folder / "others.txt", others)
    print(f"{len(planted)} planted among {len(others)} other files, {time.perf_counter() - began:.0f} s")


def fill(root: Path, known: Sequence[Original]) -> tuple[list[Truth], list[str]]:
    """Write all files in mixed order, then delete those that are to be deleted."""
    rng = random.Random(SEED)
    named = [one for one in known if way_of(one.number) not in (Way.UNALLOCATED, Way.ARCHIVED)]
    files: list[tuple[str, Original | bytes]] = [(planted_path(one.number), one) for one in named]
    files += others(rng, len(known))
    paths = [path for path, content in files if isinstance(content, bytes)]
    archived = [one for one in known if way_of(one.number) is Way.ARCHIVED]
    files += [(path, pack(path, members)) for path, members in bundles(known).items()]
    rng.shuffle(files)
    planted = [truth(one, one.content, path=planted_path(one.number)) for one in archived]
    for path, content in files:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        data = planted_bytes(content) if isinstance(content, Original) else content
        target.write_bytes(data)
        if isinstance(content, Original):
            planted.append(truth(content, data, path=path))
    # Nothing is written after this, so that nothing takes the place of what was deleted.
    for one in named:
        if way_of(one.number) is Way.DELETED:
            (root / planted_path(one.number)).unlink()
    return planted, paths


def others(rng: random.Random, known: int) -> Iterator[tuple[str, bytes]]:
    """Path and content of the files that are no copies; a few pictures are in archives."""
    pool = code_like(rng, 2 << 20)

    def cut(size: int) -> bytes:
        at = rng.randrange(len(pool) - size)
        return pool[at : at + size]

    packed = []
    for number in range(PICTURES):
        layout = number // 5 % known if number % 5 == 0 else known + number
        content = saved(scene(layout, 1 + number, SMALL), 80)
        if number % 50 == 1:
            packed.append((f"more/P{number:04d}.jpg", content))
        else:
            yield f"{FOLDER}/2026/{number % 12 + 1:02d}/P{number:04d}.jpg", content
    yield "Users/Amani/Downloads/other.zip", zipped(packed)
    for number in range(min(BURST, known)):
        yield f"{BURSTS}/IMG_{number:04d}.jpg", saved(scene(number, 0, later=0.01 * (1 + number % 6)), 80)
    for number in range(DOCUMENTS):
        kind = rng.choice(("txt", "docx", "pdf", "html", "csv"))
        size = min(int(rng.lognormvariate(9.2, 1.2)), 1 << 20)
        yield f"Users/Amani/Documents/{number // 50:02d}/paper {number}.{kind}", body(kind, size, rng, cut)


def pack(path: str, members: Sequence[tuple[str, bytes]]) -> bytes:
    """An archive of the kind that its name says."""
    if path.endswith(".zip"):
        return zipped(members)
    if path.endswith(".tar.gz"):
        return tarred(members)
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in members:
            target = Path(scratch) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        subprocess.run(["7zz", "a", "-bd", "-bso0", "-mx1", "packed.7z", "safari"], cwd=scratch, check=True)
        return (Path(scratch) / "packed.7z").read_bytes()


def plant_without_names(raw: Path, known: Sequence[Original]) -> list[Truth]:
    """Write pictures at free clusters that hold nothing yet: at random distances, some directly behind another."""
    rng = random.Random(SEED + 1)
    planted = []
    with raw.open("r+b") as image:
        start = longest_hole(raw)
        for one in known:
            start += rng.choice((0, 1, 3, 40, 500))
            image.seek(start * CLUSTER)
            if any(image.read(len(one.content))):
                raise ValueError(f"the clusters from {start} are not empty")
            image.seek(start * CLUSTER)
            image.write(one.content)
            planted.append(truth(one, one.content, offset=start * CLUSTER))
            start += -(-len(one.content) // CLUSTER)
    return planted


def longest_hole(raw: Path) -> int:
    """First cluster of the longest row of free ones, a little behind its beginning."""
    bitmap = subprocess.run(["icat", "-f", "ntfs", raw, BITMAP], check=True, capture_output=True).stdout
    used = "".join(f"{byte:08b}"[::-1] for byte in bitmap)[: SIZE // CLUSTER]
    longest = max(used.split("1"), key=len)
    return used.index(longest) + 16


if __name__ == "__main__":
    main()
