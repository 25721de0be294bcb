"""Makes the second benchmark image: 1,000,000 files of 0 to 4 KiB on NTFS, as one E01.

    sudo python benchmarks/make_million.py DIR [--files N]

Needs root and mkntfs, ntfs-3g (mounts through FUSE) and ewfacquire; the raw image in between takes 6 GB and is removed.
All content is generated from a fixed seed. Small files are what a developer's or a browser's folders hold, and what
costs most per byte: on NTFS one in six lies in its own file record. One in fifty is a picture (an icon of noise that
decodes). Besides the image it writes ``known-million.csv``, which knows 20 of the pictures.
"""

import argparse
import hashlib
import random
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from make_laptop import WORDS, code_like, run

SEED = 20261122
SECTOR = 512
FILES_PER_FOLDER = 625
LARGEST = 4096
KNOWN = 20
PICTURE_EVERY = 50
ROW = 32
HEADS = {
    "js": b"'use strict';\n",
    "json": b'{"name": "',
    "md": b"# ",
    "html": b"<!DOCTYPE html><html>",
    "txt": b"",
    "dll": b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0",
}
"""How files of a kind begin; programs go on with code-like bytes, the others with words."""


def main() -> None:
    """Build ``million.E01`` and ``known-million.csv`` in the folder that is named."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--files", type=int, default=1_000_000)
    chosen = options.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    build(chosen.folder, chosen.files)


def build(folder: Path, count: int) -> None:
    """Make the file system, fill it, and store it as E01."""
    began = time.perf_counter()
    raw = folder / "million.raw"
    with raw.open("wb") as out:
        out.truncate(((256 << 20) + count * 5800) // SECTOR * SECTOR)
    run("mkntfs", "-F", "-Q", "-q", "-p", "0", "-s", "512", "-H", "255", "-S", "63", "-L", "MILLION", raw)
    try:
        with tempfile.TemporaryDirectory() as mounted:
            run("ntfs-3g", raw, mounted, "-o", "big_writes,noatime")
            try:
                size = fill(Path(mounted), folder / "known-million.csv", count)
            finally:
                run("umount", mounted)
        filled = time.perf_counter()
        for old in folder.glob("million.E*"):
            old.unlink()
        options = "-u -q -f encase6 -c deflate:fast -S 1900MiB -b 64 -C bench -D million -e recipe -E 1 -N none".split()
        run("ewfacquire", *options, "-t", folder / "million", raw)
    finally:
        raw.unlink()
    stored = sum(part.stat().st_size for part in folder.glob("million.E*"))
    print(f"{count} files, {size / 1e9:.2f} GB, written in {filled - began:.0f} s")
    print(f"{stored / 1e9:.2f} GB of E01, stored in {time.perf_counter() - filled:.0f} s")


def fill(root: Path, known: Path, count: int) -> int:
    """Write all files and list some as known; returns the bytes written."""
    size, digests, step = 0, [], max(1, count // KNOWN)
    folder = root
    for number, (name, data) in enumerate(files(count)):
        if number % FILES_PER_FOLDER == 0:
            folder = root / folder_name(number // FILES_PER_FOLDER)
            folder.mkdir(parents=True)
        with (folder / name).open("wb", buffering=0) as out:
            out.write(data)
        size += len(data)
        if number % step == step // 2:
            digests.append(hashlib.sha1(data).hexdigest())
    known.write_text("sha1\n" + "\n".join(digests) + "\n")
    return size


def folder_name(number: int) -> str:
    """Where the folder of this number lies: packages of several users' projects, some browser caches."""
    if number % 8 == 0:
        return f"Users/user{number % 3}/AppData/Local/Cache/part-{number:04d}"
    return f"Users/user{number % 3}/Projects/app-{number // 40:02d}/node_modules/package-{number:04d}"


def files(count: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file, in the order in which they are written."""
    rng = random.Random(SEED)
    code = code_like(rng, 8 << 20)
    text = " ".join(rng.choices(WORDS, k=1 << 20)).encode()
    kinds = tuple(HEADS)
    for number in range(count):
        size = int(rng.random() * (LARGEST + 1))
        if number % PICTURE_EVERY == 0:
            yield f"icon-{number:07d}.png", icon(rng.randbytes(ROW * (1 + size // (ROW + 4))))
            continue
        kind = kinds[int(rng.random() * len(kinds))]
        pool = code if kind == "dll" else text
        at = int(rng.random() * (len(pool) - LARGEST))
        # The number makes every content that is long enough another one.
        yield f"file-{number:07d}.{kind}", (HEADS[kind] + b"%x " % number + pool[at : at + LARGEST])[:size]


def icon(pixels: bytes) -> bytes:
    """A grey PNG, `ROW` pixels wide, of the pixels given."""
    height = len(pixels) // ROW
    rows = b"".join(b"\0" + pixels[at : at + ROW] for at in range(0, len(pixels), ROW))
    header = struct.pack(">IIBBBBB", ROW, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


if __name__ == "__main__":
    main()
