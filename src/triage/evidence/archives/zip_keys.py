"""The two encryptions of zip that a password opens: the old stream cipher of PKZIP, and AES as WinZip wrote it first.

References: PKWARE APPNOTE.TXT 6.1 (traditional encryption); WinZip "AES Encryption Information" (AE-1, AE-2).
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from triage.evidence.archives.decoders import Undecodable

HEADER: Final = 12
MAC: Final = 10
AES_METHOD: Final = 99
_AES_FIELD: Final = 0x9901
_ROUNDS: Final = 1000


class AesFacts(NamedTuple):
    """The extra field of an AES member: version (1, 2; only 1 has a CRC), key bytes, and the compression method."""

    version: int
    key: int
    method: int

    @property
    def salt(self) -> int:
        """Bytes of salt, which the password's two check bytes follow."""
        return self.key // 2


def aes_facts(fields: dict[int, bytes]) -> AesFacts | None:
    """The AES field, or `None` if there is none that makes sense."""
    field = fields.get(_AES_FIELD, b"")
    if len(field) < 7 or field[4] not in (1, 2, 3):
        return None
    version, _, _, method = struct.unpack_from("<HHBH", field)
    return AesFacts(version, 8 + 8 * field[4], method)


class AesMember:
    """The cipher of one AES member, if ``password`` may fit (``fits``: two bytes are compared, the rest is the MAC)."""

    def __init__(self, facts: AesFacts, head: bytes, password: bytes) -> None:
        salt, check = head[: facts.salt], head[facts.salt : facts.salt + 2]
        keys = hashlib.pbkdf2_hmac("sha1", password, salt, _ROUNDS, 2 * facts.key + 2)
        self.fits = len(check) == 2 and keys[-2:] == check
        self._key = keys[: facts.key]
        self._mac = hmac.new(keys[facts.key : 2 * facts.key], digestmod="sha1")

    def decrypt(self, pieces: Iterable[bytes], mac: bytes) -> Iterator[bytes]:
        """Plain bytes; fails behind the last piece if the authentication code ``mac`` does not match."""
        cipher = Cipher(algorithms.AES(self._key), modes.ECB()).encryptor()  # noqa: S305 - makes the counter mode below
        counter, stream = 1, b""
        for piece in pieces:
            self._mac.update(piece)
            blocks = -(-(len(piece) - len(stream)) // 16)
            # The counter is little-endian, which no library offers.
            counters = b"".join([n.to_bytes(16, "little") for n in range(counter, counter + blocks)])
            stream += cipher.update(counters)
            counter += blocks
            yield _xor(piece, stream)
            stream = stream[len(piece) :]
        if not hmac.compare_digest(self._mac.digest()[:MAC], mac):
            raise Undecodable("its authentication code does not match")


def _xor(data: bytes, stream: bytes) -> bytes:
    length = len(data)
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream[:length], "little")).to_bytes(length, "little")


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0xEDB88320 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE: Final = _crc_table()


class OldCipher:
    """The stream cipher of PKZIP, one byte at a time: about a second for a megabyte."""

    def __init__(self, password: bytes) -> None:
        self._keys = (0x12345678, 0x23456789, 0x34567890)
        self._run(password, plain=True)

    def decrypt(self, data: bytes) -> bytes:
        """Plain bytes; call in order."""
        return self._run(data, plain=False)

    def _run(self, data: bytes, plain: bool) -> bytes:
        key0, key1, key2 = self._keys
        table = _TABLE
        out = bytearray()
        for byte in data:
            if not plain:
                word = key2 | 2
                byte ^= (word * (word ^ 1)) >> 8 & 0xFF
                out.append(byte)
            key0 = key0 >> 8 ^ table[(key0 ^ byte) & 0xFF]
            key1 = ((key1 + (key0 & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
            key2 = key2 >> 8 ^ table[(key2 ^ key1 >> 24) & 0xFF]
        self._keys = key0, key1, key2
        return bytes(out)
