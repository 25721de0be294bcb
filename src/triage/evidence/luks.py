"""Volumes encrypted with LUKS, versions 1 and 2.

Own code and not libluksde, which in its release of 2026-09 refuses LUKS2 and needs 9 s for a key that this derives
in less than one.

References: LUKS1 On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format Specification 1.1.3 (binary header, JSON
area, anti-forensic split, segments, digests).
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from triage.evidence.encrypted import key_file_contents, locked, unlocked
from triage.evidence.entry import Keys, OpenOptions
from triage.evidence.filelike import BlockSource
from triage.evidence.layout import ORIGIN, Layout
from triage.evidence.luks_header import Header, HeaderError, KeySlot, read_luks1, read_luks2
from triage.evidence.sectors import CipherError, Decrypt, decryptor
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import NoticeKind, notice

MAGIC: Final = b"LUKS\xba\xbe"
_SECTOR: Final = 512


def detect(source: ByteSource, locator: Locator, options: OpenOptions) -> Layout | None:
    """The LUKS volume at the start of ``source``: unlocked by a password or key file of ``options``, else locked."""
    head = source.read_at(0, 8)
    if head[:6] != MAGIC:
        return None
    version = int.from_bytes(head[6:8], "big")
    name = f"LUKS{version}"
    try:
        if version not in (1, 2):
            raise HeaderError(f"version {version}")
        header = read_luks1(source) if version == 1 else read_luks2(source)
        return _open(source, locator, options.keys, name, header)
    except HeaderError as error:
        return locked(name, "", locator, options.keys, reason=str(error))


def _open(source: ByteSource, locator: Locator, keys: Keys, name: str, header: Header) -> Layout:
    about = f"UUID {header.uuid}"
    try:
        for passphrase in _passphrases(keys):
            key = _volume_key(source, header, passphrase)
            if key is not None:
                plain = LuksSource(source, header, decryptor(header.cipher, key, header.sector_size))
                missing = header.offset + (header.size or 0) - source.size
                return unlocked(name, header.cipher, locator, "luks", plain, missing, about)
    except CipherError as error:
        return locked(name, header.cipher, locator, keys, reason=f"not supported: {error}", description=about)
    layout = locked(name, header.cipher, locator, keys, description=about)
    if not header.slots:
        text = "no usable key slot is left in the LUKS header: no password can open this volume"
        doubt = notice(NoticeKind.REMARK, locator, text, ORIGIN)
        return Layout(name, layout.description, notices=(*layout.notices, doubt), state=layout.state)
    return layout


def _passphrases(keys: Keys) -> Iterator[bytes]:
    yield from (text.encode() for text in (*keys.passwords, *keys.recovery_keys))
    for data in key_file_contents(keys):
        yield data
        if data.endswith(b"\n"):
            yield data.rstrip(b"\r\n")


def _volume_key(source: ByteSource, header: Header, passphrase: bytes) -> bytes | None:
    for slot in header.slots:
        secret = slot.kdf(passphrase)
        size = -(-slot.key_size * slot.stripes // _SECTOR) * _SECTOR
        data = source.read_at(slot.offset, size)
        if len(data) < size:
            continue
        plain = decryptor(slot.cipher, secret)(data, 0)
        key = _merge(plain, slot)
        if header.is_volume_key(key, slot):
            return key
    return None


def _merge(split: bytes, slot: KeySlot) -> bytes:
    """Undo the anti-forensic split: every stripe is needed to get the key back."""
    size = slot.key_size
    mixed = bytes(size)
    for stripe in range(slot.stripes):
        piece = split[stripe * size : (stripe + 1) * size]
        mixed = bytes(a ^ b for a, b in zip(mixed, piece, strict=True))
        if stripe < slot.stripes - 1:
            mixed = _diffuse(mixed, slot.af_hash)
    return mixed


def _diffuse(data: bytes, algorithm: str) -> bytes:
    step = hashlib.new(algorithm).digest_size
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    return b"".join(
        hashlib.new(algorithm, number.to_bytes(4, "big") + piece).digest()[: len(piece)]
        for number, piece in enumerate(pieces)
    )


class LuksSource(BlockSource):
    """The plain text of a LUKS volume."""

    def __init__(self, source: ByteSource, header: Header, decrypt: Decrypt) -> None:
        end = source.size if header.size is None else min(source.size, header.offset + header.size)
        size = max(0, end - header.offset) // header.sector_size * header.sector_size
        super().__init__(size, granule=header.sector_size)
        self._source, self._header, self._decrypt = source, header, decrypt

    def _load(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(self._header.offset + offset, length)
        return self._decrypt(data, self._header.iv_tweak + offset // _SECTOR)
