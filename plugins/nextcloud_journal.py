"""Files that the desktop clients of Nextcloud and ownCloud keep in step."""

from typing import Final

from triage.api import ReferencedFile, Row, SqliteParser, hex_digest, number, text, unix_s

ALGORITHMS: Final = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256"}


class NextcloudJournal(SqliteParser):
    """Files in the sync journal of the Nextcloud and ownCloud clients (``.sync_*.db``, ``._sync_*.db``).

    The journal lies in the folder that is kept in step and records for each file a checksum of its content; those that
    are MD5, SHA-1 or SHA-256 make a record. ``path`` is relative to that folder; ``recorded`` is when the file was last
    modified.

    Does not cover Adler-32 and SHA-3 checksums, journals of clients before 2.3 (which used other tables), and queues of
    uploads and downloads. Which form of a file in an end-to-end encrypted folder a checksum belongs to is not
    established.

    References: https://github.com/nextcloud/desktop (src/common/syncjournaldb.cpp)
    """

    id = "nextcloud.journal"
    yields = (ReferencedFile,)
    paths = ("**/{.sync,._sync,_sync}_*.db", "**/.owncloudsync.db")
    table = "metadata"
    row_id = "row_number"
    query = """
        SELECT metadata.rowid AS row_number, metadata.path AS path, metadata.modtime AS modified,
               metadata.filesize AS size, metadata.contentChecksum AS digest, checksumtype.name AS kind
        FROM metadata
        LEFT JOIN checksumtype ON checksumtype.id = metadata.contentChecksumTypeId
        WHERE metadata.contentChecksum <> ''
        ORDER BY metadata.rowid
    """

    def record(self, row: Row) -> ReferencedFile | None:
        """One file; `None` where the checksum is of another kind."""
        algorithm = ALGORITHMS.get(str(row["kind"]).upper())
        if algorithm is None:
            return None
        path = text(row["path"])
        return ReferencedFile(
            source=row.locator,
            application="Nextcloud or ownCloud",
            algorithm=algorithm,
            digest=hex_digest(row["digest"], algorithm),
            name=path.rpartition("/")[2] if isinstance(path, str) else path,
            path=path,
            size=number(row["size"]),
            recorded=unix_s(row["modified"]),
            state="kept in step",
        )
