"""Digests as lists write them: names of algorithms, and values in hex, Base64 and Base32.

Two values look alike: SHA-256 and PDQ have 64 hexadecimal digits each. Where neither a column nor the style of a line
says which it is, only the reader of the list can.
"""

import base64
import binascii
import re
from binascii import unhexlify
from contextlib import suppress
from functools import lru_cache
from typing import Final

from triage.hashsets.entry import DIGEST_BYTES

Digest = tuple[str, bytes]

AMBIGUOUS: Final = (
    "64 hexadecimal digits are SHA-256 or PDQ, and the list does not say which: "
    "choose with --digests sha256 or --digests pdq"
)
BY_DIGITS: Final = {32: "md5", 40: "sha1", 128: "sha512"}
"""Algorithm by the number of hexadecimal digits, where it can be told."""
HEX64: Final = 64
_FILLER: Final = r"(?:file|media|image|video|photo|original|hash|value|digest|checksum|sum|hex|binary|code)"
_NAME: Final = re.compile(
    rf"(?:{_FILLER}|\d)*?(md5|sha1|sha2?256|sha2?512|ed2k|edonkey(?:2000)?|emule|btih|infohash|pdq|photodna|pdna)"
    rf"{_FILLER}*"
)
_SYNONYMS: Final = {
    "sha2256": "sha256",
    "sha2512": "sha512",
    "edonkey": "ed2k",
    "edonkey2000": "ed2k",
    "emule": "ed2k",
    "infohash": "btih",
    "pdna": "photodna",
}
GENERIC: Final = frozenset(
    "hash hashvalue hashcode hashhex filehash mediahash digest filedigest checksum indicator fingerprint".split()
)
"""Names of columns that hold digests without saying which."""
BLANK: Final = frozenset(("", "-", "--", "null", "(null)", "none", "n/a", "na", "nil", "0"))
"""What lists write where there is no value, in lower case."""
_BASE64_PHOTODNA: Final = 192
_BASE32_BTIH: Final = 32
_QUOTED: Final = 80


def plain(name: str) -> str:
    """A name without case and punctuation.

    >>> plain('"SHA-1"')
    'sha1'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(maxsize=1024)
def algorithm_of(name: str) -> str:
    """The algorithm that a column, field or type names; empty if it names none that a set can hold.

    >>> [algorithm_of(name) for name in ("SHA-256 Hash", "HASH_VIDEO_MD5", "eDonkey", "Parent MD5")]
    ['sha256', 'md5', 'ed2k', '']
    """
    match = _NAME.fullmatch(plain(name))
    return _SYNONYMS.get(match[1], match[1]) if match else ""


def value_of(text: str, algorithm: str) -> bytes:
    """The value of a digest of a known algorithm.

    White space, quotes and ``0x`` do not count. PhotoDNA may be Base64, a BitTorrent info-hash Base32.

    Raises:
        ValueError: it is none; quotes the value.
    """
    length = DIGEST_BYTES[algorithm]
    if len(text) == 2 * length:
        with suppress(ValueError):
            return unhexlify(text)
    compact = "".join(text.split()).strip("\"'")
    try:
        if algorithm == "photodna" and len(compact) == _BASE64_PHOTODNA:
            return base64.b64decode(compact, validate=True)
        if algorithm == "btih" and len(compact) == _BASE32_BTIH:
            return base64.b32decode(compact.upper())
        value = unhexlify(_bare(compact))
    except ValueError as error:
        raise ValueError(f"{algorithm}: not a digest: {text.strip()[:_QUOTED]!r}") from error
    if len(value) != length:
        raise ValueError(
            f"{algorithm}: {2 * len(value)} hexadecimal digits instead of {2 * length}: {text.strip()[:_QUOTED]!r}"
        )
    return value


def by_length(text: str, hex64: str) -> Digest:
    """A digest whose algorithm only its length tells; ``hex64`` says what 64 digits are, if that is known.

    Raises:
        ValueError: it is none, or may be several.
    """
    compact = _bare("".join(text.split()).strip("\"'"))
    algorithm = BY_DIGITS.get(len(compact), hex64 if len(compact) == HEX64 else "")
    if not is_hex(compact) or (not algorithm and len(compact) != HEX64):
        raise ValueError(f"not a digest of a known length: {text.strip()[:_QUOTED]!r}")
    if not algorithm:
        raise ValueError(f"{AMBIGUOUS}: {compact}")
    return algorithm, unhexlify(compact)


def is_hex(text: str) -> bool:
    """Whether a text is hexadecimal digits in pairs, and nothing else."""
    try:
        return bool(unhexlify(text))
    except (binascii.Error, ValueError):
        return False


def is_digest_like(text: str) -> bool:
    """Whether a text has the form of a hexadecimal digest of file content."""
    bare = _bare(text.strip().strip("\"'").strip())
    return (len(bare) in BY_DIGITS or len(bare) == HEX64) and is_hex(bare)


def size_of(value: object) -> int | None:
    """Bytes, where stated as a number or as text of digits (VICS 1.2, NSRL); what fits no file system is no size."""
    text = str(value).strip().strip("\"'")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _bare(compact: str) -> str:
    return compact[2:] if compact[:2] in {"0x", "0X"} else compact
