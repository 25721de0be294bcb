"""What BitTorrent programs remember of their downloads."""

from collections.abc import Iterator, Mapping
from typing import Final

from triage.api import Absent, File, Parser, ReferencedFile, Time, UnsupportedSchema, bencoded_items, unix_s

_HASH_BYTES: Final = 20
_HEX: Final = frozenset("0123456789abcdef")


class TorrentResume(Parser):
    """Torrents in the state files of qBittorrent, uTorrent, BitTorrent and Transmission.

    Read are ``*.fastresume`` (qBittorrent and others on libtorrent), ``resume.dat`` and ``resume.dat.old`` (uTorrent,
    BitTorrent), and ``<info-hash>.resume`` (Transmission from version 4). Each names a torrent by its version 1
    info-hash, which is no digest of a file. ``recorded`` is when it was added, ``path`` where its files were saved,
    ``state`` ``completed`` where a time of completion is stored; ``context`` holds that time (UTC) and the bytes
    received and sent.

    Does not cover which files of a torrent were chosen, peers, ``.resume`` files of older Transmission versions (their
    names hold only a part of the info-hash: they yield nothing), and the torrents' own contents (`bittorrent.torrent`).
    uTorrent's own check value of ``resume.dat`` is not checked.

    References: https://www.libtorrent.org/manual-ref.html, https://github.com/sepinf-inc/IPED
    (BitTorrentResumeDatParser.java), https://github.com/transmission/transmission (libtransmission/resume.cc)
    """

    id = "bittorrent.resume"
    yields = (ReferencedFile,)
    paths = ("**/*.fastresume", "**/resume.dat", "**/resume.dat.old", "**/*transmission*/resume/*.resume")

    def parse(self, file: File) -> Iterator[ReferencedFile]:
        """One record for each torrent whose whole info-hash is stated."""
        data, state = file.read(), {}
        try:
            for item in bencoded_items(data):
                state[item.key] = item.value
                if not isinstance(item.value, dict) or not file.name.lower().startswith("resume.dat"):
                    continue
                found = _utorrent(file, item.key, item.value, item.start)
                if found is not None:
                    yield found
        except ValueError as error:
            raise UnsupportedSchema(f"not whole: {error}") from error
        stem = file.name.lower().removesuffix(".resume")
        if file.name.lower().endswith(".fastresume"):
            yield _libtorrent(file, state)
        elif len(stem) == 2 * _HASH_BYTES and _HEX.issuperset(stem):
            yield _transmission(file, stem, state)


def _utorrent(file: File, key: bytes, torrent: Mapping[bytes, object], at: int) -> ReferencedFile | None:
    digest = torrent.get(b"info")
    if not isinstance(digest, bytes) or len(digest) != _HASH_BYTES:
        return None
    done = unix_s(torrent.get(b"completed_on"))
    return ReferencedFile(
        source=file.locator.at(at),
        application="uTorrent or BitTorrent",
        algorithm="btih",
        digest=digest.hex(),
        name=_text(torrent.get(b"caption", key)),
        path=_text(torrent.get(b"path")),
        size=Absent.NOT_RECORDED,
        recorded=unix_s(torrent.get(b"added_on")),
        state=_state(done),
        context=_context(done, torrent.get(b"downloaded"), torrent.get(b"uploaded"), f"torrent file: {_text(key)}"),
        url=Absent.NOT_RECORDED,
    )


def _libtorrent(file: File, state: Mapping[bytes, object]) -> ReferencedFile:
    digest = state.get(b"info-hash")
    if not isinstance(digest, bytes) or len(digest) != _HASH_BYTES:
        raise UnsupportedSchema("no version 1 info-hash is stated")
    second, done = state.get(b"info-hash2"), unix_s(state.get(b"completed_time"))
    more = f"version 2 info-hash {second.hex()}" if isinstance(second, bytes) and second else ""
    return ReferencedFile(
        source=file.locator,
        application="qBittorrent" if any(key.startswith(b"qBt-") for key in state) else "libtorrent",
        algorithm="btih",
        digest=digest.hex(),
        name=_text(state.get(b"qBt-name") or state.get(b"name")),
        path=_text(state.get(b"qBt-savePath") or state.get(b"save_path")),
        size=Absent.NOT_RECORDED,
        recorded=unix_s(state.get(b"added_time")),
        state=_state(done),
        context=_context(done, state.get(b"total_downloaded"), state.get(b"total_uploaded"), more),
        url=Absent.NOT_RECORDED,
    )


def _transmission(file: File, digest: str, state: Mapping[bytes, object]) -> ReferencedFile:
    done = unix_s(state.get(b"done-date", state.get(b"done_date")))
    return ReferencedFile(
        source=file.locator,
        application="Transmission",
        algorithm="btih",
        digest=digest,
        name=_text(state.get(b"name")),
        path=_text(state.get(b"destination")),
        size=Absent.NOT_RECORDED,
        recorded=unix_s(state.get(b"added-date", state.get(b"added_date"))),
        state=_state(done),
        context=_context(done, state.get(b"downloaded"), state.get(b"uploaded"), ""),
        url=Absent.NOT_RECORDED,
    )


def _state(completed: Time) -> str:
    return "no completion recorded" if isinstance(completed, Absent) else "completed"


def _context(completed: Time, received: object, sent: object, more: str) -> str | Absent:
    parts = [
        "" if isinstance(completed, Absent) else f"completed {completed.iso()}",
        f"received {received:,} bytes" if isinstance(received, int) else "",
        f"sent {sent:,} bytes" if isinstance(sent, int) else "",
        more,
    ]
    return "; ".join(part for part in parts if part) or Absent.NOT_RECORDED


def _text(value: object) -> str | Absent:
    if value is None:
        return Absent.NOT_RECORDED
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else Absent.UNPARSABLE
