"""Names of NTFS as The Sleuth Kit turns them into bytes."""

from codecs import utf_16_le_decode
from typing import Final

from triage.evidence.ntfs_runs import NotPlain

SHORT: Final = 340
"""Bytes of UTF-16 that fit into `_ROOM` whatever they are."""
_ROOM: Final = 512
"""Bytes that TSK has for a name out of the MFT; a name that fills them exactly has no end there."""
_ROOM_IN_LISTING: Final = 256
_HASH_START: Final = 5381


def converted(stored: bytes) -> bytes:
    r"""UTF-8 of a name in UTF-16, up to a NUL. What is half a pair becomes ``^``, at the end it is left out.

    >>> converted("a\ud83d\ude00".encode("utf-16-le", "surrogatepass")), converted(b"\x00\xd8a\x00b\x00")
    (b'a\xf0\x9f\x98\x80', b'^b')
    """
    try:
        text = utf_16_le_decode(stored, "strict", True)[0]
    except UnicodeDecodeError:
        text = _mended(stored)
    return (text[: text.index("\0")] if "\0" in text else text).encode()


def _mended(stored: bytes) -> str:
    units = [int.from_bytes(stored[at : at + 2], "little") for at in range(0, len(stored), 2)]
    text: list[str] = []
    place = 0
    while place < len(units):
        unit = units[place]
        place += 1
        if 0xD800 <= unit < 0xDC00:
            if place == len(units):
                break
            low = units[place]
            place += 1
            paired = 0xDC00 <= low < 0xE000
            text.append(chr(0x10000 + (unit - 0xD800 << 10) + low - 0xDC00) if paired else "^")
        else:
            text.append("^" if 0xDC00 <= unit < 0xE000 else chr(unit))
    return "".join(text)


def of_record(stored: bytes) -> bytes:
    """The same for a $FILE_NAME in the MFT, for which TSK has less room.

    Raises:
        NotPlain: it fills that room exactly.
    """
    if len(stored) <= SHORT:
        return converted(stored)
    if b"\0\0" in stored:
        raise NotPlain("a long name with a NUL")
    name = converted(stored)
    if len(name) < _ROOM:
        return name
    if len(name) == _ROOM:
        return name[: _ROOM - 1]
    end = _ROOM
    while name[end] & 0xC0 == 0x80:
        end -= 1
    if end == _ROOM:
        raise NotPlain("a name without an end")
    return name[:end]


def in_listing(name: bytes) -> bytes:
    """What a directory shows of a name `of_record` that its index does not hold."""
    return name[:_ROOM_IN_LISTING]


def stream_name(stored: bytes) -> bytes:
    r"""UTF-8 of the name of an attribute; control characters become ``^``.

    >>> stream_name("a\tb".encode("utf-16-le"))
    b'a^b'
    """
    name = converted(stored)
    if name.isalnum():
        return name
    return bytes(0x5E if byte < 0x20 or byte == 0x7F else byte for byte in name)


def name_hash(name: bytes) -> int:
    """TSK's hash of a name (D. J. Bernstein's, over signed bytes without slashes), by which it knows names again."""
    state = _HASH_START
    for byte in name:
        if byte != 0x2F:
            state = (state * 33 + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return state
