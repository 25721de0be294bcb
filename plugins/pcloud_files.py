"""Files that the pCloud client knows."""

from triage.api import ReferencedFile, Row, SqliteParser, hex_digest, number, text, unix_s


class PcloudFiles(SqliteParser):
    """Files in pCloud's ``data.db``, which records the SHA-1 of contents that the client compared or fetched.

    ``localfile`` rows are files of a folder kept in step on this computer, ``file`` rows those in the cloud, and
    ``filerevision`` rows earlier contents of these. ``recorded`` is when the file was last modified, of an earlier
    content when it was made. A digest whose file is no longer listed has no name.

    Does not cover files whose digest the client never asked for, files in pCloud's encrypted folder, and full paths.

    References: https://github.com/pcloudcom/pclsync (pdatabase.h, pnetlibs.c, psettings.h)
    """

    id = "pcloud.files"
    yields = (ReferencedFile,)
    paths = ("**/{.pcloud,pCloud}/data.db",)
    table = "file"
    row_id = "row_number"
    query = """
        SELECT 'localfile' AS row_table, localfile.id AS row_number, 'on this computer' AS state,
               localfile.checksum AS digest, localfile.name AS name, localfolder.name AS folder, localfile.size AS size,
               localfile.mtime AS time
        FROM localfile
        LEFT JOIN localfolder ON localfolder.id = localfile.localparentfolderid
        WHERE localfile.checksum <> ''
        UNION ALL
        SELECT 'file', file.id, 'in the cloud', hashchecksum.checksum, file.name, folder.name, file.size, file.mtime
        FROM file
        JOIN hashchecksum ON hashchecksum.hash = file.hash AND hashchecksum.size = file.size
        LEFT JOIN folder ON folder.id = file.parentfolderid
        UNION ALL
        SELECT 'filerevision', filerevision.fileid, 'an earlier content of a file in the cloud', hashchecksum.checksum,
               file.name, folder.name, filerevision.size, filerevision.ctime
        FROM filerevision
        JOIN hashchecksum ON hashchecksum.hash = filerevision.hash AND hashchecksum.size = filerevision.size
        LEFT JOIN file ON file.id = filerevision.fileid
        LEFT JOIN folder ON folder.id = file.parentfolderid
        WHERE filerevision.hash IS NOT file.hash
        UNION ALL
        SELECT 'hashchecksum', NULL, 'no longer listed', hashchecksum.checksum, NULL, NULL, hashchecksum.size, NULL
        FROM hashchecksum
        WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.hash = hashchecksum.hash AND file.size = hashchecksum.size)
        AND NOT EXISTS (SELECT 1 FROM filerevision
                        WHERE filerevision.hash = hashchecksum.hash AND filerevision.size = hashchecksum.size)
        ORDER BY row_table, row_number, digest
    """

    def record(self, row: Row) -> ReferencedFile:
        """One file or earlier content of one."""
        return ReferencedFile(
            source=row.locator,
            application="pCloud",
            algorithm="sha1",
            digest=hex_digest(row["digest"], "sha1"),
            name=text(row["name"]),
            size=number(row["size"]),
            recorded=unix_s(row["time"]),
            state=row["state"],
            context=f"in the folder {row['folder']}" if isinstance(row["folder"], str) else text(row["folder"]),
        )
