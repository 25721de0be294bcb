"""Index entries of the Windows recycle bin."""

import struct
from collections.abc import Iterator
from typing import Final

from triage.api import Absent, File, Parser, RecycledFile, UnsupportedSchema, filetime

V1_SIZE: Final = 544
INFO2_RECORDS: Final = (280, 800)
"""Length in bytes of an INFO2 record without (Windows 95–ME) and with (from Windows 2000) a Unicode path."""


class RecycleBin(Parser):
    """Files in the Windows recycle bin: ``$I…`` entries (Vista and later) and ``INFO2`` (Windows 95 to XP).

    Does not cover the files inside a recycled folder (they are listed as entries of the file system below ``$R…``), and
    entries that were restored or emptied, unless the file system still has them as deleted.

    References: https://github.com/libyal/dtformats/blob/main/documentation/Windows%20Recycle.Bin%20file%20formats.asciidoc
    """

    id = "windows.recycle_bin"
    yields = (RecycledFile,)
    paths = ("**/$Recycle.Bin/**/$I*", "**/{Recycler,Recycled}/**/INFO2")

    def parse(self, file: File) -> Iterator[RecycledFile]:
        """One record for an ``$I`` file, one for each slot of an ``INFO2`` file."""
        data = file.read(limit=16 << 20)
        if file.name.upper() == "INFO2":
            yield from _info2(file, data)
            return
        if len(data) < 24:
            raise UnsupportedSchema(f"{len(data)} bytes are too few for an index entry")
        version, size, deleted = struct.unpack_from("<qqQ", data)
        if version == 1:
            name = data[24:V1_SIZE]
        elif version == 2 and len(data) >= 28:
            name = data[28 : 28 + 2 * struct.unpack_from("<I", data, 24)[0]]
        else:
            raise UnsupportedSchema(f"version {version} of an index entry")
        folder, _, own_name = file.path.rpartition("/")
        yield RecycledFile(
            source=file.locator,
            original_path=_path(name),
            content_path=f"{folder}/$R{own_name[2:]}",
            size=size if size >= 0 else Absent.UNPARSABLE,
            deleted=filetime(deleted),
            owner=_owner(file.path),
        )


def _info2(file: File, data: bytes) -> Iterator[RecycledFile]:
    length = struct.unpack_from("<I", data, 12)[0] if len(data) >= 20 else 0
    if length not in INFO2_RECORDS:
        raise UnsupportedSchema(f"an INFO2 file with records of {length} bytes")
    folder = file.path.rpartition("/")[0]
    for at in range(20, len(data) - length + 1, length):
        record = data[at : at + length]
        index, drive, deleted, size = struct.unpack_from("<IIQI", record, 260)
        path = _path(record[280:800]) if length == 800 else _ansi_path(record[:260])
        stem, dot, extension = path.rpartition("\\")[2].rpartition(".") if isinstance(path, str) else ("", "", "")
        letter = chr(ord("a") + drive) if drive < 26 else "?"
        yield RecycledFile(
            source=file.locator.at(at),
            original_path=path,
            content_path=f"{folder}/D{letter}{index}{dot + extension if stem else ''}",
            size=size,
            deleted=filetime(deleted),
            owner=_owner(file.path),
        )


def _path(stored: bytes) -> str | Absent:
    """UTF-16 text up to its NUL; lone surrogates, which Windows allows in names, are shown as ``\\uNNNN``."""
    wide = stored[: len(stored) & ~1].decode("utf-16-le", "surrogatepass").split("\0")[0]
    return wide.encode("utf-8", "backslashreplace").decode() or Absent.NOT_RECORDED


def _ansi_path(stored: bytes) -> str | Absent:
    text = stored.split(b"\0")[0]
    # Its code page is that of the machine, which this file does not name.
    return text.decode("ascii", "backslashreplace") or Absent.NOT_RECORDED


def _owner(path: str) -> str | Absent:
    return next((part for part in path.split("/") if part.upper().startswith("S-1-")), Absent.NOT_APPLICABLE)
