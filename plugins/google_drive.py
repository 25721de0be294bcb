"""Files that Google Drive for desktop knows."""

from triage.api import Absent, ReferencedFile, Row, SqliteParser, hex_digest, number, text, unix_ms

MIME_TYPE, TITLE, TRASHED, MODIFIED, SIZE, MD5 = 4, 3, 7, 11, 14, 48


class GoogleDrive(SqliteParser):
    """Files in the databases of Google Drive for desktop (``metadata_sqlite_db``), which record their MD5.

    The digest stands in a protocol buffer beside each item, also of files that were never on this computer and of
    those that were deleted for good. ``recorded`` is when the file was last modified in Drive, ``account`` the number
    of the Google account (the folder's name), ``state`` ``trashed`` or ``deleted`` where the database says so.

    Does not cover folders and Google's own document types, which have no digest, the folder that a file is in, and the
    cached contents (`hash.known` reads those like any file).

    References: https://github.com/AmgdGocha/DriveFS-Sleuth, https://protobuf.dev/programming-guides/encoding/
    """

    id = "google.drive"
    yields = (ReferencedFile,)
    paths = ("**/metadata_sqlite_db", "**/mirror_metadata_sqlite.db")
    table = "items"
    row_id = "row_number"
    query = (
        """
        SELECT 'items' AS row_table, stable_id AS row_number, local_title AS title, mime_type, file_size AS size,
               modified_date AS modified, trashed, proto
        FROM items
        UNION ALL
        SELECT 'deleted_items', stable_id, NULL, NULL, NULL, NULL, NULL, proto
        FROM deleted_items
        ORDER BY row_table DESC, row_number
        """,
        """
        SELECT 'items' AS row_table, stable_id AS row_number, local_title AS title, mime_type, file_size AS size,
               modified_date AS modified, trashed, proto
        FROM items
        ORDER BY row_number
        """,
    )

    def record(self, row: Row) -> ReferencedFile | None:
        """One file; `None` for what has no digest."""
        fields = _protobuf(row["proto"]) if isinstance(row["proto"], bytes) else {}
        if MD5 not in fields:
            return None
        deleted = row["row_table"] == "deleted_items"
        trashed = fields.get(TRASHED) if deleted else row["trashed"]
        folder = row.locator.path.rpartition("/")[0].rpartition("/")[2]
        return ReferencedFile(
            source=row.locator,
            application="Google Drive",
            algorithm="md5",
            digest=hex_digest(_text(fields[MD5]), "md5"),
            name=_text(fields.get(TITLE)) if deleted else text(row["title"]),
            size=number(fields.get(SIZE) if deleted else row["size"]),
            recorded=unix_ms(fields.get(MODIFIED) if deleted else row["modified"]),
            state="deleted" if deleted else "trashed" if trashed == 1 else "listed",
            account=folder if folder.isdigit() else Absent.NOT_RECORDED,
            context=_text(fields.get(MIME_TYPE)) if deleted else text(row["mime_type"]),
        )


def _protobuf(data: bytes) -> dict[int, int | bytes]:
    """The outermost fields, the first of each number; nested messages stay bytes."""
    fields: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: int | bytes
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            length, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value = data[at : at + length]
            at += length
            if at > len(data):
                raise ValueError("the item's protocol buffer ends inside a field")
        else:
            raise ValueError(f"a field of wire type {kind} in the item's protocol buffer")
        fields.setdefault(key >> 3, value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("the item's protocol buffer holds a number without an end")


def _text(value: int | bytes | None) -> str | Absent:
    if value is None:
        return Absent.NOT_RECORDED
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else Absent.UNPARSABLE
