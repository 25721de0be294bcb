"""Folders that Google Drive for desktop keeps in step."""

from triage.api import Absent, ReferencedFile, Row, SqliteParser, hex_digest, number, text, unix_ms


class GoogleDriveMirror(SqliteParser):
    """Files of mirrored and backed-up folders in Google Drive for desktop's ``mirror_sqlite.db``, with their MD5.

    The database holds the digest of the file on this computer and of that in the cloud: one record for each that is
    stored, for they can differ. ``recorded`` is when the file was last modified, there; ``account`` is the number of
    the Google account (the folder's name).

    Does not cover the folder that a file is in, and queues of uploads and deletions.

    References: https://github.com/AmgdGocha/DriveFS-Sleuth
    """

    id = "google.drive_mirror"
    yields = (ReferencedFile,)
    paths = ("**/mirror_sqlite.db",)
    table = "mirror_item"
    row_id = "row_number"
    query = """
        SELECT local_stable_id AS row_number, 'on this computer' AS side, local_filename AS name,
               local_md5_checksum AS digest, local_size AS size, local_mtime_ms AS modified, shared
        FROM mirror_item WHERE local_md5_checksum <> ''
        UNION ALL
        SELECT local_stable_id, 'in the cloud', cloud_filename, cloud_md5_checksum, cloud_size, cloud_mtime_ms, shared
        FROM mirror_item WHERE cloud_md5_checksum <> ''
        ORDER BY row_number, side DESC
    """

    def record(self, row: Row) -> ReferencedFile:
        """One side of one file."""
        folder = row.locator.path.rpartition("/")[0].rpartition("/")[2]
        return ReferencedFile(
            source=row.locator,
            application="Google Drive",
            algorithm="md5",
            digest=hex_digest(row["digest"], "md5"),
            name=text(row["name"]),
            size=number(row["size"]),
            recorded=unix_ms(row["modified"]),
            state=row["side"],
            account=folder if folder.isdigit() else Absent.NOT_RECORDED,
            context="shared" if row["shared"] == 1 else Absent.NOT_RECORDED,
        )
