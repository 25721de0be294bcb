"""Decryption of disk sectors as Linux dm-crypt does it: AES in XTS, CBC or ECB mode with the IV made from the sector
number.

References: IEEE 1619-2018 (XTS-AES); LUKS1 On-Disk Format 1.2.3, section "cipher modes"; Linux
Documentation/admin-guide/device-mapper/ dm-crypt.rst (``plain``, ``plain64``, ``essiv``).
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Decrypt = Callable[[bytes, int], bytes]
"""Plain text of whole sectors, given the number of the first in units of 512 bytes."""

_BLOCK: Final = 16
_UNIT: Final = 512


class CipherError(ValueError):
    """A cipher, mode or IV generator that nothing here decrypts; the text names it."""


def decryptor(name: str, key: bytes, sector_size: int = _UNIT) -> Decrypt:
    """A function that decrypts sectors of ``sector_size`` bytes.

    ``name`` is dm-crypt's, such as ``aes-xts-plain64`` or ``aes-cbc-essiv:sha256``. IVs count in units of 512 bytes
    whatever the sector size is, as LUKS2 has it.

    Raises:
        CipherError: the name means nothing to us, or the key has not the right length for it.
    """
    cipher, mode, iv = [*name.split("-", 2), "", ""][:3]
    if cipher != "aes" or len(key) not in (16, 24, 32, 64):
        raise CipherError(f"{name} with a key of {8 * len(key)} bits")
    if mode == "xts" and iv in ("plain", "plain64") and len(key) in (32, 64):
        return _xts(key, sector_size, iv)
    if len(key) == 64:
        raise CipherError(f"{name} with a key of 512 bits")
    if mode == "cbc":
        return _cbc(key, sector_size, _iv_maker(iv, key, name))
    if mode == "ecb":
        return lambda data, _first: _ecb(key, data)
    raise CipherError(name)


def _ecb(key: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(data)  # noqa: S305 - the modes are built on it


def _numbers(first: int, count: int, step: int, iv: str) -> bytes:
    mask = 0xFFFF_FFFF if iv == "plain" else 0xFFFF_FFFF_FFFF_FFFF
    return b"".join(((first + n * step) & mask).to_bytes(_BLOCK, "little") for n in range(count))


def _iv_maker(iv: str, key: bytes, name: str) -> Callable[[int, int, int], bytes]:
    if iv in ("plain", "plain64"):
        return lambda first, count, step: _numbers(first, count, step, iv)
    generator, _, digest = iv.partition(":")
    if generator != "essiv" or digest not in hashlib.algorithms_available:
        raise CipherError(name)
    salt = hashlib.new(digest, key).digest()
    if len(salt) not in (16, 24, 32):
        raise CipherError(name)
    cipher = Cipher(algorithms.AES(salt), modes.ECB())  # noqa: S305 - that is what ESSIV is
    return lambda first, count, step: cipher.encryptor().update(_numbers(first, count, step, "plain64"))


def _cbc(key: bytes, sector_size: int, ivs: Callable[[int, int, int], bytes]) -> Decrypt:
    def decrypt(data: bytes, first: int) -> bytes:
        count = len(data) // sector_size
        start = ivs(first, count, sector_size // _UNIT)
        before = bytearray(bytes(_BLOCK) + data[:-_BLOCK])
        for n in range(count):
            before[n * sector_size : n * sector_size + _BLOCK] = start[n * _BLOCK : (n + 1) * _BLOCK]
        return _xor(_ecb(key, data), before)

    return decrypt


def _xts(key: bytes, sector_size: int, iv: str) -> Decrypt:
    content, tweak = key[: len(key) // 2], key[len(key) // 2 :]
    if sector_size != _UNIT:
        return lambda data, first: _xts_by_sector(key, sector_size, data, first, iv)
    tweaker = Cipher(algorithms.AES(tweak), modes.ECB())  # noqa: S305 - step 1 of XTS

    def decrypt(data: bytes, first: int) -> bytes:
        count = len(data) // _UNIT
        mask = _tweaks(tweaker.encryptor().update(_numbers(first, count, 1, iv)), count)
        return _xor(_ecb(content, _xor(data, mask)), mask)

    return decrypt


def _xts_by_sector(key: bytes, sector_size: int, data: bytes, first: int, iv: str) -> bytes:
    algorithm, count = algorithms.AES(key), len(data) // sector_size
    numbers = _numbers(first, count, sector_size // _UNIT, iv)
    parts: list[bytes] = []
    for n in range(count):
        mode = modes.XTS(numbers[n * _BLOCK : (n + 1) * _BLOCK])
        parts.append(Cipher(algorithm, mode).decryptor().update(data[n * sector_size : (n + 1) * sector_size]))
    return b"".join(parts)


def _tweaks(first: bytes, count: int) -> bytes:
    """The XTS tweaks of all blocks of ``count`` sectors of 512 bytes, given those of each sector's first block.

    One call of the library for each sector of 512 bytes costs ten times more than deciphering it, so the
    multiplications by α of all sectors are done at once, on one long integer of 128-bit lanes: the first half of
    each sector gives the second.
    """
    spread = bytearray(count * _UNIT)
    for n in range(count):
        spread[n * _UNIT : n * _UNIT + _BLOCK] = first[n * _BLOCK : (n + 1) * _BLOCK]
    lanes = int.from_bytes(spread, "little")
    for power in (1, 2, 4, 8, 16):
        high = (lanes >> (128 - power)) & _low_bits(count * _UNIT // _BLOCK, power)
        shifted = (lanes ^ (high << (128 - power))) << power
        lanes |= (shifted ^ high ^ (high << 1) ^ (high << 2) ^ (high << 7)) << (128 * power)
    return lanes.to_bytes(count * _UNIT, "little")


@lru_cache(maxsize=64)
def _low_bits(lanes: int, bits: int) -> int:
    return int.from_bytes(((1 << bits) - 1).to_bytes(_BLOCK, "little") * lanes, "little")


def _xor(left: bytes | bytearray, right: bytes | bytearray) -> bytes:
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")
