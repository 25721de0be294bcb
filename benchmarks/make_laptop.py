"""Makes the benchmark image: a 5 GiB NTFS laptop, about 58,000 files with 2 GB of content, as E01 in 1.5 GB segments.

    sudo python benchmarks/make_laptop.py DIR

Needs root and mkntfs, ntfs-3g (mounts through FUSE) and ewfacquire. All content is generated from a fixed seed: program
files, documents, browser caches, and 2,000 JPEG pictures of coloured noise; one file in twenty is deleted at the end.
Besides the image it writes ``known.csv``, which knows 20 of the pictures.
"""

import hashlib
import io
import random
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

SIZE = 5 << 30
SEED = 20261121
WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they".split()
)


def main(folder: Path) -> None:
    """Build ``laptop.raw``, ``laptop.E01`` and ``known.csv`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / "laptop.raw"
    with raw.open("wb") as out:
        out.truncate(SIZE)
    run("mkntfs", "-F", "-Q", "-q", "-p", "0", "-s", "512", "-H", "255", "-S", "63", "-L", "BENCH", raw)
    with tempfile.TemporaryDirectory() as mounted:
        run("ntfs-3g", raw, mounted, "-o", "big_writes")
        try:
            fill(Path(mounted), folder / "known.csv")
        finally:
            run("umount", mounted)
    for old in folder.glob("laptop.E*"):
        old.unlink()
    options = "-u -q -f encase6 -c deflate:fast -S 1500MiB -b 64 -C bench -D laptop -e recipe -E 1 -N none".split()
    run("ewfacquire", *options, "-t", folder / "laptop", raw)


def run(*command: object) -> None:
    """Run a program and end if it fails."""
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


def fill(root: Path, known: Path) -> None:
    """Write all files, delete one in twenty, and list some pictures as known."""
    rng = random.Random(SEED)
    pool = code_like(rng, 8 << 20)
    count, size, digests = 0, 0, []
    for path, data in files(rng, pool):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        count, size = count + 1, size + len(data)
        if path.endswith(".jpg"):
            digests.append(hashlib.sha1(data).hexdigest())
        if rng.random() < 0.05:
            target.unlink()
    known.write_text("sha1\n" + "\n".join(digests[::100]) + "\n")
    print(f"{count} files, {size / 1e9:.2f} GB")


def code_like(rng: random.Random, size: int) -> bytes:
    """Bytes that compress about as well as program code: runs of random tokens of a small vocabulary."""
    tokens = [rng.randbytes(rng.choice((2, 3, 4, 8, 16))) for _ in range(6000)] + [bytes(n) for n in (4, 8, 32)] * 300
    return b"".join(rng.choices(tokens, k=size // 5))


def files(rng: random.Random, pool: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file."""

    def cut(size: int) -> bytes:
        at = rng.randrange(len(pool) - size)
        return pool[at : at + size]

    for number in range(40_000):
        size = min(int(rng.lognormvariate(8.9, 1.3)), 4 << 20)
        # Installers write folder by folder; every tenth file comes later, by an update.
        part = (number * 7919 if number % 10 == 0 else number) // 100 % 400
        folder = f"Windows/WinSxS/part-{part:03d}" if part % 3 else f"Windows/System32/{part:03d}"
        kind = rng.choice(("dll", "exe", "mui", "sys", "xml", "json", "txt", "ttf"))
        yield f"{folder}/component_{number:05d}.{kind}", body(kind, size, rng, cut)
    for number in range(8_000):
        size = min(int(rng.lognormvariate(9.2, 1.2)), 4 << 20)
        kind = rng.choice(("txt", "docx", "pdf", "html", "csv"))
        yield f"Users/Amani/Documents/{number // 134:02d}/paper {number}.{kind}", body(kind, size, rng, cut)
    for number in range(8_000):
        size = min(int(rng.lognormvariate(9.5, 1.4)), 4 << 20)
        yield (
            f"Users/Amani/AppData/Local/Google/Chrome/User Data/Default/Cache/f_{number:06x}",
            body(rng.choice(("html", "json", "none", "none")), size, rng, cut),
        )
    for number in range(2_000):
        yield f"Users/Amani/Pictures/2025/IMG_{number:04d}.jpg", photo(rng)


def body(kind: str, size: int, rng: random.Random, cut: Callable[[int], bytes]) -> bytes:
    """Content of a kind: a true beginning, then code-like bytes or text."""
    if kind in ("txt", "xml", "json", "html", "csv"):
        start = {"xml": "<?xml version='1.0'?>\n<a>", "json": '{"a": "', "html": "<!DOCTYPE html><html>"}.get(kind, "")
        text = " ".join(rng.choices(WORDS, k=max(1, min(size // 4, 4000))))
        return (start + text * (1 + size // max(1, len(text))))[: max(1, size)].encode()
    if kind == "docx":
        return document(size, rng, cut)
    heads = {
        "ttf": b"\0\1\0\0\0\x10\1\0\0\4\0\0",
        "pdf": b"%PDF-1.7\n",
        "none": b"",
    }
    portable = b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0"
    return heads.get(kind, portable) + cut(size)


def document(size: int, rng: random.Random, cut: Callable[[int], bytes]) -> bytes:
    """An office document: a ZIP of about ``size`` bytes with text that deflates well and a picture that does not."""
    out = io.BytesIO()
    text = " ".join(rng.choices(WORDS, k=max(20, min(size // 4, 4000))))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("[Content_Types].xml", b"<?xml version='1.0'?><Types/>"),
            ("word/document.xml", f"<?xml version='1.0'?><document>{text}</document>".encode()),
            ("word/media/image1.bin", cut(size)),
        ):
            # Without a date of its own a member has one of 1980, and the image is the same every time.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def photo(rng: random.Random) -> bytes:
    """A picture of smooth coloured noise, with the size and the cost of decoding of a phone's photo."""
    coarse = Image.frombytes("RGB", (160, 120), rng.randbytes(160 * 120 * 3))
    out = io.BytesIO()
    coarse.resize((1600, 1200), Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
