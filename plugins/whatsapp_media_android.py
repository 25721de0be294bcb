"""Media that WhatsApp on Android names by digest."""

import base64
import binascii
from typing import Final

from triage.api import Absent, ReferencedFile, Row, SqliteParser, number, text, unix_ms

_COLUMNS: Final = """
    SELECT 'message_media' AS row_table, message_media.message_row_id AS row_number,
           message_media.file_hash AS digest, message_media.file_path AS path, message_media.media_name AS name,
           coalesce(nullif(message_media.file_size, 0), message_media.file_length) AS size,
           message_media.mime_type AS mime_type, message_media.message_url AS url,
           message.from_me AS from_me, message.timestamp AS time, chat.subject AS subject, {people}
    FROM message_media
    LEFT JOIN message ON message._id = message_media.message_row_id
    LEFT JOIN chat ON chat._id = coalesce(message.chat_row_id, message_media.chat_row_id)
    LEFT JOIN jid AS chat_jid ON chat_jid._id = chat.jid_row_id
    LEFT JOIN jid AS member_jid ON member_jid._id = nullif(message.sender_jid_row_id, 0)
    {joins}
    WHERE message_media.file_hash <> ''
"""
_PLAIN: Final = _COLUMNS.format(
    people="chat_jid.raw_string AS chat_jid, member_jid.raw_string AS member_jid",
    joins="",
)
_MAPPED: Final = _COLUMNS.format(
    people="coalesce(chat_phone.raw_string, chat_jid.raw_string) AS chat_jid, "
    "coalesce(member_phone.raw_string, member_jid.raw_string) AS member_jid",
    joins="""
    LEFT JOIN jid_map AS chat_map ON chat_map.lid_row_id = chat.jid_row_id
    LEFT JOIN jid AS chat_phone ON chat_phone._id = chat_map.jid_row_id
    LEFT JOIN jid_map AS member_map ON member_map.lid_row_id = message.sender_jid_row_id
    LEFT JOIN jid AS member_phone ON member_phone._id = member_map.jid_row_id
    """,
)
_LEGACY: Final = """
    SELECT 'messages' AS row_table, messages._id AS row_number, messages.media_hash AS digest, NULL AS path,
           messages.media_name AS name, messages.media_size AS size, messages.media_mime_type AS mime_type,
           messages.media_url AS url, messages.key_from_me AS from_me, messages.timestamp AS time,
           NULL AS subject, messages.key_remote_jid AS chat_jid, nullif(messages.remote_resource, '') AS member_jid
    FROM messages
    WHERE messages.media_hash <> ''
"""
_NOT_MOVED: Final = " AND messages._id NOT IN (SELECT message_row_id FROM message_media WHERE file_hash <> '')"
_ORDER: Final = " ORDER BY row_table, row_number"


class WhatsAppMedia(SqliteParser):
    """Media of messages in WhatsApp's ``msgstore.db`` on Android, which records the SHA-256 of their plain content.

    Reads the tables of today (``message_media``), the older ones (``messages``), and databases in which both hold
    messages. ``recorded`` is the time of the message, ``sender`` the JID of who sent it or ``me``; privacy identifiers
    (``@lid``) are shown as telephone numbers where the database maps them.

    Does not cover thumbnails, the digests of the encrypted form and of the form before WhatsApp reduced it, media of
    statuses and view-once messages whose row holds no digest, and encrypted backups (``.crypt12`` to ``.crypt15``).

    References: https://github.com/sepinf-inc/IPED (ExtractorAndroidNew.java, ExtractorAndroid.java),
    https://github.com/KnugiHK/WhatsApp-Chat-Exporter
    """

    id = "whatsapp.media_android"
    yields = (ReferencedFile,)
    paths = ("**/msgstore.db", "**/msgstore-*.db")
    table = "message_media"
    row_id = "row_number"
    query = (
        f"{_MAPPED} UNION ALL {_LEGACY}{_NOT_MOVED}{_ORDER}",
        f"{_PLAIN} UNION ALL {_LEGACY}{_NOT_MOVED}{_ORDER}",
        _MAPPED + _ORDER,
        _PLAIN + _ORDER,
        _LEGACY + _ORDER,
    )

    def record(self, row: Row) -> ReferencedFile:
        """One medium of one message."""
        path, mine, chat, member = text(row["path"]), row["from_me"], text(row["chat_jid"]), text(row["member_jid"])
        return ReferencedFile(
            source=row.locator,
            application="WhatsApp Business" if "w4b" in row.locator.path.lower() else "WhatsApp",
            algorithm="sha256",
            digest=_sha256(row["digest"]),
            name=path.rpartition("/")[2] if isinstance(path, str) and path else text(row["name"]),
            path=path,
            size=number(row["size"]),
            recorded=unix_ms(row["time"]),
            state=Absent.NOT_RECORDED if mine is None else "sent" if mine == 1 else "received",
            conversation=_conversation(text(row["subject"]), chat),
            sender=Absent.NOT_RECORDED if mine is None else "me" if mine == 1 else _first(member, chat),
            context=text(row["mime_type"]),
            url=text(row["url"]),
        )


def _sha256(stored: object) -> str:
    try:
        digest = base64.b64decode(stored, validate=True) if isinstance(stored, str) else b""
    except binascii.Error as error:
        raise ValueError(f"the media digest {stored!r:.80} is not base64: {error}") from error
    if len(digest) != 32:
        raise ValueError(f"the media digest {stored!r:.80} is no SHA-256")
    return digest.hex()


def _conversation(subject: str | Absent, jid: str | Absent) -> str | Absent:
    if isinstance(subject, Absent) or not subject:
        return jid
    return subject if isinstance(jid, Absent) else f"{subject} ({jid})"


def _first(member: str | Absent, chat: str | Absent) -> str | Absent:
    """In a chat of two the chat's own JID is that of the other person."""
    return chat if isinstance(member, Absent) else member
