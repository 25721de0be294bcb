"""The headers of LUKS1 and LUKS2 as data; hostile values end in `HeaderError`.

References: see `triage.evidence.luks`.
"""

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from triage.evidence.source import ByteSource

MAX_ITERATIONS: Final = 200_000_000
MAX_ARGON_KIB: Final = 4 << 20
"""cryptsetup's own limit: 4 GiB."""
MAX_ARGON_TIME: Final = 1000
MAX_JSON: Final = 4 << 20
MAX_SLOTS: Final = 32
MAX_STRIPES: Final = 4000
MAX_KEY: Final = 512

_ACTIVE: Final = 0x00AC71F3
_SECTOR: Final = 512
_SECTOR_SIZES: Final = (512, 1024, 2048, 4096)

Derive = Callable[[bytes], bytes]


class HeaderError(ValueError):
    """A header that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class KeySlot:
    """One way to the volume key.

    ``kdf`` makes the slot's key from a passphrase, ``offset`` (bytes) is where the split volume key lies.
    """

    id: str
    kdf: Derive
    cipher: str
    key_size: int
    stripes: int
    af_hash: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Digest:
    slots: frozenset[str]
    kdf: Derive
    value: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed to open a volume. ``offset``, ``size`` (`None`: to the end) and ``sector_size`` in bytes."""

    uuid: str
    cipher: str
    offset: int
    size: int | None
    sector_size: int
    iv_tweak: int
    slots: tuple[KeySlot, ...]
    digests: tuple[_Digest, ...]

    def is_volume_key(self, key: bytes, slot: KeySlot) -> bool:
        """Whether the digest that belongs to ``slot`` confirms ``key``."""
        return any(slot.id in digest.slots and digest.kdf(key) == digest.value for digest in self.digests)


def read_luks1(source: ByteSource) -> Header:
    """The LUKS1 header at the start of ``source``.

    Raises:
        HeaderError: it is cut off or holds impossible values.
    """
    data = source.read_at(0, 592)
    if len(data) < 592:
        raise HeaderError("the header is cut off")
    cipher, mode, digest = (_text(data[at : at + 32]) for at in (8, 40, 72))
    payload, key_size = struct.unpack_from(">II", data, 104)
    value, salt = data[112:132], data[132:164]
    (iterations,) = struct.unpack_from(">I", data, 164)
    if not 0 < key_size <= MAX_KEY:
        raise HeaderError(f"a volume key of {key_size} bytes")
    name = f"{cipher}-{mode}"
    slots: list[KeySlot] = []
    for number in range(8):
        at = 208 + 48 * number
        active, rounds = struct.unpack_from(">II", data, at)
        sector, stripes = struct.unpack_from(">II", data, at + 40)
        if active == _ACTIVE and 0 < stripes <= MAX_STRIPES:
            kdf = _pbkdf2(digest, data[at + 8 : at + 40], rounds, key_size)
            slots.append(KeySlot(str(number), kdf, name, key_size, stripes, digest, sector * _SECTOR))
    check = _Digest(frozenset(slot.id for slot in slots), _pbkdf2(digest, salt, iterations, 20), value)
    return Header(_text(data[168:208]), name, payload * _SECTOR, None, _SECTOR, 0, tuple(slots), (check,))


def read_luks2(source: ByteSource) -> Header:
    """The first valid of the two LUKS2 headers.

    Raises:
        HeaderError: neither is valid, or what it says is not supported.
    """
    problem = HeaderError("the header is cut off")
    for offset in (0, *(0x4000 << n for n in range(9))):
        try:
            binary, area = _binary2(source, offset)
        except HeaderError as error:
            problem = problem if offset else error
            continue
        try:
            return _header2(_text(binary[168:208]), json.loads(area.partition(b"\0")[0]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HeaderError(f"the LUKS2 header is not usable: {error!r}") from error
    raise problem


def _binary2(source: ByteSource, offset: int) -> tuple[bytes, bytes]:
    binary = source.read_at(offset, 4096)
    if binary[:8] not in (b"LUKS\xba\xbe\x00\x02", b"SKUL\xba\xbe\x00\x02") or len(binary) < 4096:
        raise HeaderError("no LUKS2 header")
    (size,) = struct.unpack_from(">Q", binary, 8)
    algorithm = _text(binary[72:104])
    if not 4096 < size <= MAX_JSON or algorithm not in hashlib.algorithms_available:
        raise HeaderError("impossible header size or check algorithm")
    area = source.read_at(offset + 4096, size - 4096)
    check = hashlib.new(algorithm, binary[:448] + bytes(64) + binary[512:] + area).digest()
    if binary[448 : 448 + len(check)] != check:
        raise HeaderError("the check value of the LUKS2 header does not match")
    return binary, area


def _header2(uuid: str, tree: dict[str, Any]) -> Header:
    segments = [segment for _, segment in sorted(tree["segments"].items())]
    requirements = tree.get("config", {}).get("requirements", {}).get("mandatory", [])
    if len(segments) != 1 or segments[0]["type"] != "crypt" or requirements:
        raise HeaderError(f"a LUKS2 volume with {len(segments)} segments and requirements {requirements}")
    segment = segments[0]
    sector_size = int(segment["sector_size"])
    if sector_size not in _SECTOR_SIZES or "integrity" in segment:
        raise HeaderError("a LUKS2 segment with integrity data or an impossible sector size")
    slots = [_slot2(number, slot) for number, slot in sorted(tree["keyslots"].items())[:MAX_SLOTS]]
    digests = tuple(_digest2(digest) for _, digest in sorted(tree["digests"].items()))
    size = None if segment["size"] == "dynamic" else int(segment["size"])
    return Header(
        uuid,
        str(segment["encryption"]),
        int(segment["offset"]),
        size,
        sector_size,
        int(segment["iv_tweak"]),
        tuple(slot for slot in slots if slot is not None),
        digests,
    )


def _slot2(number: str, slot: dict[str, Any]) -> KeySlot | None:
    area, split = slot["area"], slot["af"]
    key_size, stripes = int(slot["key_size"]), int(split["stripes"])
    if slot["type"] != "luks2" or area["type"] != "raw" or split["type"] != "luks1":
        return None
    if not (0 < key_size <= MAX_KEY and 0 < stripes <= MAX_STRIPES):
        raise HeaderError(f"key slot {number} has a key of {key_size} bytes in {stripes} stripes")
    kdf = _kdf2(slot["kdf"], int(area["key_size"]))
    return KeySlot(number, kdf, str(area["encryption"]), key_size, stripes, _hash(split["hash"]), int(area["offset"]))


def _kdf2(kdf: dict[str, Any], size: int) -> Derive:
    salt = _decoded(kdf["salt"])
    if kdf["type"] == "pbkdf2":
        return _pbkdf2(kdf["hash"], salt, int(kdf["iterations"]), size)
    kinds = {"argon2id": Type.ID, "argon2i": Type.I}
    if kdf["type"] not in kinds:
        raise HeaderError(f"key derivation {kdf['type']}")
    kind, time, memory, lanes = kinds[kdf["type"]], int(kdf["time"]), int(kdf["memory"]), int(kdf["cpus"])
    if not (0 < time <= MAX_ARGON_TIME and 8 * lanes <= memory <= MAX_ARGON_KIB and 0 < lanes <= 64 and size >= 4):
        raise HeaderError(f"key derivation with time {time}, memory {memory} KiB, lanes {lanes}")

    def derive(passphrase: bytes) -> bytes:
        try:
            return hash_secret_raw(passphrase, salt, time, memory, lanes, size, kind)
        except HashingError as error:  # no memory for it, a salt that is too short
            raise HeaderError(f"key derivation with {memory} KiB of memory: {error}") from error

    return derive


def _digest2(digest: dict[str, Any]) -> _Digest:
    value = _decoded(digest["digest"])
    if digest["type"] != "pbkdf2":
        raise HeaderError(f"digest of type {digest['type']}")
    kdf = _pbkdf2(digest["hash"], _decoded(digest["salt"]), int(digest["iterations"]), len(value))
    return _Digest(frozenset(digest["keyslots"]), kdf, value)


def _pbkdf2(algorithm: str, salt: bytes, iterations: int, size: int) -> Derive:
    name = _hash(algorithm)
    if not (0 < iterations <= MAX_ITERATIONS and 0 < size <= MAX_KEY):
        raise HeaderError(f"key derivation with {iterations} iterations for {size} bytes")
    return lambda secret: hashlib.pbkdf2_hmac(name, secret, salt, iterations, size)


def _hash(name: object) -> str:
    if not isinstance(name, str) or name not in hashlib.algorithms_available or name.startswith("shake"):
        raise HeaderError(f"hash {name}")
    return name


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise HeaderError("a salt or digest that is not base64") from error


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "backslashreplace")
