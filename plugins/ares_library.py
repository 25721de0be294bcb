"""Files in the library of Ares Galaxy."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from triage.api import Absent, File, Parser, ReferencedFile, Time, Timestamp, UnsupportedSchema, unix_s

SHARED: Final = b"__ARESDB1.02H_"
LOCAL: Final = b"__ARESDB1.04L_"
HEADS: Final = {SHARED: 23, LOCAL: 47}
"""Length in bytes of what stands before the fields of an entry."""
KEY_HEAD: Final = 13_871
KEY_FIELDS: Final = 13_872
MOST_FIELD_BYTES: Final = {SHARED: 1024, LOCAL: 2048}
"""What the program itself refuses to read; more is damage."""
PATH, TITLE, COMMENT, DATE, CORRUPT = 1, 2, 10, 11, 17


class AresLibrary(Parser):
    """Files in the library of Ares Galaxy by SHA-1: ``ShareL.dat`` and ``ShareH.dat``, which are scrambled.

    ``ShareL.dat`` lists files with path and size, ``ShareH.dat`` what is known of files that were shared or downloaded:
    title, date, and whether each is ``shared``. ``recorded`` is that date: when the program took the file in, a wall
    clock without a zone. Both files keep entries of files that are gone.

    Does not cover unfinished downloads (``___ARESTRA___*``), partial digests (``PHash.dat``), and search words.

    References: http://aresgalaxy.sourceforge.net (helper_library_db.pas, helper_datetime.pas),
    https://github.com/sepinf-inc/IPED (AresDecoder.java)
    """

    id = "ares.library"
    yields = (ReferencedFile,)
    paths = ("**/Share{H,L}.dat",)

    def parse(self, file: File) -> Iterator[ReferencedFile]:
        """One record for each entry; what stands before damage is given."""
        data = file.read()
        kind = data[:14]
        if kind not in HEADS:
            raise UnsupportedSchema(f"starts with {kind.hex(' ') or 'nothing'}: no known version of an Ares library")
        at = len(kind)
        while at < len(data):
            end = at + HEADS[kind]
            head = _clear(data[at:end], KEY_HEAD)
            length = int.from_bytes(head[-2:], "little")
            if end > len(data) or length > min(MOST_FIELD_BYTES[kind], len(data) - end):
                raise UnsupportedSchema(f"damaged or cut off at offset {at:,}")
            yield _record(file, at, kind, head, _fields(_clear(data[end : end + length], KEY_FIELDS)))
            at = end + length


def _clear(data: bytes, key: int) -> bytes:
    """Each byte is combined with the upper half of a 16-bit key that the scrambled bytes drive."""
    clear = bytearray()
    for byte in data:
        clear.append(byte ^ key >> 8)
        key = (byte + key) * 23_219 + 36_126 & 0xFFFF
    return bytes(clear)


def _fields(data: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at + 3 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        fields[data[at]] = data[at + 3 : at + 3 + length]
        at += 3 + length
    return fields


def _record(file: File, at: int, kind: bytes, head: bytes, fields: dict[int, bytes]) -> ReferencedFile:
    path, title = _text(fields.get(PATH)), _text(fields.get(TITLE))
    comment = _text(fields.get(COMMENT))
    context = [
        "marked as corrupt" if CORRUPT in fields else "",
        f"comment: {comment}" if isinstance(comment, str) else "",
    ]
    shared = "shared" if head[20] == 1 else "not shared"
    return ReferencedFile(
        source=file.locator.at(at),
        application="Ares Galaxy",
        algorithm="sha1",
        digest=head[:20].hex(),
        name=path.rpartition("\\")[2] if isinstance(path, str) else title,
        path=path,
        size=int.from_bytes(head[25:33], "little") if kind == LOCAL else Absent.NOT_APPLICABLE,
        recorded=_date(fields.get(DATE)) if kind == SHARED else Absent.NOT_APPLICABLE,
        state=shared if kind == SHARED else "in the library",
        context="; ".join(part for part in context if part) or Absent.NOT_RECORDED,
        url=Absent.NOT_APPLICABLE,
    )


def _date(stored: bytes | None) -> Time:
    """Seconds since 1970 of a wall clock: the program converts its local time as if it were UTC."""
    if stored is None:
        return Absent.NOT_RECORDED
    time = unix_s(int.from_bytes(stored, "little")) if len(stored) == 4 else Absent.UNPARSABLE
    return replace(time, basis="local") if isinstance(time, Timestamp) else time


def _text(stored: bytes | None) -> str | Absent:
    return stored.decode("utf-8", "backslashreplace") if stored else Absent.NOT_RECORDED
