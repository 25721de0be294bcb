"""Files that Google Backup and Sync knew."""

from typing import Final

from triage.api import Absent, ReferencedFile, Row, SqliteParser, hex_digest, number, text, unix_s

_CLOUD: Final = """
    SELECT 'cloud_entry' AS row_table, rowid AS row_number, 'in the cloud' AS side, filename, modified, size,
           checksum AS digest, removed, shared
    FROM cloud_entry WHERE checksum <> ''
"""
_ORIGINAL: Final = """
    UNION ALL
    SELECT 'cloud_entry', rowid, 'in the cloud, before it was reduced', filename, modified, original_size,
           original_checksum, removed, shared
    FROM cloud_entry WHERE original_checksum <> '' AND original_checksum IS NOT checksum
"""
_LOCAL: Final = """
    UNION ALL
    SELECT 'local_entry', rowid, 'on this computer', filename, modified, size, checksum, NULL, NULL
    FROM local_entry WHERE checksum <> ''
"""
_GRAPH: Final = """
    SELECT 'cloud_graph_entry' AS row_table, rowid AS row_number, 'in the cloud' AS side, filename, modified, size,
           checksum AS digest, NULL AS removed, shared
    FROM cloud_graph_entry WHERE checksum <> ''
"""
_ORDER: Final = " ORDER BY row_table, row_number, side"


class GoogleBackupAndSync(SqliteParser):
    """Files in the databases of Google Backup and Sync, and of the older Google Drive client, with their MD5.

    ``snapshot.db`` holds the digest of a file in the cloud and of the one on this computer: one record for each.
    ``cloud_graph.db`` holds those in the cloud. ``recorded`` is when the file was last modified, there; ``state`` says
    which side it is, and whether it was removed.

    Does not cover the folder that a file is in, the account (``sync_config.db``), and deleted rows outside the
    write-ahead log.

    References: https://github.com/sepinf-inc/IPED (GDriveSnapshotParser.java, GDriveCloudGraphParser.java),
    https://github.com/log2timeline/plaso (gdrive.py)
    """

    id = "google.backup_and_sync"
    yields = (ReferencedFile,)
    paths = ("**/Google/Drive/**/{snapshot,cloud_graph}.db",)
    table = "cloud_entry"
    row_id = "row_number"
    query = (_CLOUD + _ORIGINAL + _LOCAL + _ORDER, _CLOUD + _LOCAL + _ORDER, _GRAPH + _ORDER)

    def record(self, row: Row) -> ReferencedFile:
        """One side of one file."""
        return ReferencedFile(
            source=row.locator,
            application="Google Backup and Sync",
            algorithm="md5",
            digest=hex_digest(row["digest"], "md5"),
            name=text(row["filename"]),
            size=number(row["size"]),
            recorded=unix_s(row["modified"]),
            state=f"{row['side']}, removed" if row["removed"] == 1 else row["side"],
            context="shared" if row["shared"] == 1 else Absent.NOT_RECORDED,
        )
