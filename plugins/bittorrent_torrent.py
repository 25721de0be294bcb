"""Torrent files."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from triage.api import Absent, File, Parser, ReferencedFile, UnsupportedSchema, bencoded_items, unix_s

SHOWN_NAMES: Final = 20
SMALL: Final = 16_384
"""A file of at most this size is one block of a version 2 torrent, so that its root is the SHA-256 of its content."""
_DIGESTS: Final = ((b"md5sum", "md5", 16), (b"sha1", "sha1", 20), (b"ed2k", "ed2k", 16))


class TorrentFile(Parser):
    """What a ``.torrent`` file offers: its BitTorrent version 1 info-hash, and the files that it names by digest.

    The info-hash (``btih``) is the SHA-1 of the torrent's description and names the torrent, not a file. Piece digests
    are no digests of files and are left out, but for a torrent that is one file in one piece. Files with an MD5, SHA-1
    or eD2k digest of their own (some programs write one), and files of up to 16 KiB in version 2 torrents, are named by
    that. ``recorded`` is when the torrent says that it was made; ``context`` lists file names, and the SHA-256
    info-hash of version 2.

    Does not cover whether anything of it was downloaded (`bittorrent.resume` reads that), the info-hash of torrents
    that are version 2 only, and magnet links.

    References: https://www.bittorrent.org/beps/bep_0003.html, https://www.bittorrent.org/beps/bep_0052.html
    """

    id = "bittorrent.torrent"
    yields = (ReferencedFile,)
    paths = ("**/*.torrent", "**/*.torrent.{added,imported,loaded,invalid}")

    def parse(self, file: File) -> Iterator[ReferencedFile]:
        """One record for the torrent, and one for each digest of a file in it."""
        data = file.read()
        outer: dict[bytes, object] = {}
        span, damage = b"", None
        try:
            for item in bencoded_items(data):
                outer[item.key] = item.value
                if item.key == b"info":
                    span = data[item.start : item.end]
        except ValueError as error:
            damage = error
        info = outer.get(b"info")
        if isinstance(info, dict):
            yield from _records(file, outer, info, span)
        if damage is not None or not isinstance(info, dict):
            raise UnsupportedSchema(f"not a whole torrent: {damage or 'it has no description'}") from damage


def _records(
    file: File, outer: Mapping[bytes, object], info: Mapping[bytes, object], span: bytes
) -> Iterator[ReferencedFile]:
    files, name, made = list(_files(info)), _text(info.get(b"name")), unix_s(outer.get(b"creation date"))
    sizes = [size for _, size, _ in files]
    names = [path for path, _, _ in files[:SHOWN_NAMES]]
    more = f" … and {len(files) - SHOWN_NAMES:,} more" if len(files) > SHOWN_NAMES else ""
    version2 = f"; version 2 info-hash {hashlib.sha256(span).hexdigest()}" if info.get(b"meta version") == 2 else ""
    comment = _text(outer.get(b"comment"))
    if b"pieces" in info:
        yield ReferencedFile(
            source=file.locator,
            application="BitTorrent",
            algorithm="btih",
            digest=hashlib.sha1(span).hexdigest(),
            name=name,
            size=sum(size for size in sizes if size is not None)
            if None not in sizes and sizes
            else Absent.NOT_RECORDED,
            recorded=made,
            state="offered in a torrent file",
            context=f"{len(files):,} file{'s' * (len(files) != 1)}: {'; '.join(names)}{more}{version2}"
            + (f"; comment: {comment}" if isinstance(comment, str) else ""),
            url=_text(outer.get(b"announce")),
        )
    for path, size, entry in files:
        for algorithm, digest in _digests(info, entry, size, len(files) == 1):
            yield ReferencedFile(
                source=file.locator,
                application="BitTorrent",
                algorithm=algorithm,
                digest=digest,
                name=path.rpartition("/")[2],
                path=path,
                size=Absent.NOT_RECORDED if size is None else size,
                recorded=made,
                state="offered in a torrent file",
                context=f"torrent: {name}",
                url=_text(outer.get(b"announce")),
            )


def _files(info: Mapping[bytes, object]) -> Iterator[tuple[str, int | None, Mapping[bytes, object]]]:
    """Path, size and description of each file; those that only pad (BEP 47) are left out."""
    listed, tree = info.get(b"files"), info.get(b"file tree")
    if isinstance(tree, dict):
        yield from _leaves(tree, ())
    elif isinstance(listed, list):
        for entry in listed:
            parts = entry.get(b"path.utf-8", entry.get(b"path")) if isinstance(entry, dict) else None
            if isinstance(parts, list) and b"p" not in _bytes(entry.get(b"attr")):
                yield "/".join(str(_text(part)) for part in parts), _size(entry.get(b"length")), entry
    else:
        yield str(_text(info.get(b"name"))), _size(info.get(b"length")), info


def _leaves(
    tree: Mapping[bytes, object], above: tuple[bytes, ...]
) -> Iterator[tuple[str, int | None, Mapping[bytes, object]]]:
    for part, below in tree.items():
        if part == b"" and isinstance(below, dict):
            yield "/".join(str(_text(name)) for name in above), _size(below.get(b"length")), below
        elif isinstance(below, dict):
            yield from _leaves(below, (*above, part))


def _digests(
    info: Mapping[bytes, object], entry: Mapping[bytes, object], size: int | None, alone: bool
) -> Iterator[tuple[str, str]]:
    for key, algorithm, length in _DIGESTS:
        stored = _bytes(entry.get(key))
        if len(stored) == length:
            yield algorithm, stored.hex()
        elif len(stored) == 2 * length and not stored.lower().strip(b"0123456789abcdef"):
            yield algorithm, stored.decode().lower()
    root, pieces, step = _bytes(entry.get(b"pieces root")), _bytes(info.get(b"pieces")), info.get(b"piece length")
    if size and len(root) == 32 and size <= SMALL:
        yield "sha256", root.hex()
    if alone and size and len(pieces) == 20 and isinstance(step, int) and size <= step and b"sha1" not in entry:
        yield "sha1", pieces.hex()


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: object) -> str | Absent:
    if value is None:
        return Absent.NOT_RECORDED
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else Absent.UNPARSABLE
