"""Media that WhatsApp on iOS and macOS names by digest."""

import base64
import binascii

from triage.api import Absent, ReferencedFile, Row, SqliteParser, cocoa_s, number, text


class WhatsAppMediaApple(SqliteParser):
    """Media of messages in WhatsApp's ``ChatStorage.sqlite`` on iOS and macOS.

    The column ``ZVCARDNAME`` of a medium holds the base64 of the SHA-256 of its plain content (of a contact card the
    card's name, which is left out). ``recorded`` is the time of the message, ``sender`` the JID of who sent it, or
    ``me``.

    Does not cover thumbnails, the digest of the encrypted form (``ZMEDIAKEY``), and the mapping of privacy identifiers
    (``@lid``) to telephone numbers, which is in another file.

    References: https://github.com/sepinf-inc/IPED (ExtractorIOS.java),
    https://github.com/abrignoni/iLEAPP (whatsApp.py)
    """

    id = "whatsapp.media_ios"
    yields = (ReferencedFile,)
    paths = ("**/ChatStorage.sqlite",)
    table = "ZWAMEDIAITEM"
    row_id = "row_number"
    query = """
        SELECT ZWAMEDIAITEM.Z_PK AS row_number, ZWAMEDIAITEM.ZVCARDNAME AS digest,
               ZWAMEDIAITEM.ZMEDIALOCALPATH AS path, ZWAMEDIAITEM.ZFILESIZE AS size,
               ZWAMEDIAITEM.ZVCARDSTRING AS mime_type, ZWAMEDIAITEM.ZMEDIAURL AS url,
               ZWAMESSAGE.ZISFROMME AS from_me, ZWAMESSAGE.ZMESSAGEDATE AS time, ZWAMESSAGE.ZFROMJID AS from_jid,
               ZWACHATSESSION.ZCONTACTJID AS chat_jid, ZWACHATSESSION.ZPARTNERNAME AS chat_name,
               ZWAGROUPMEMBER.ZMEMBERJID AS member_jid
        FROM ZWAMEDIAITEM
        LEFT JOIN ZWAMESSAGE ON ZWAMESSAGE.Z_PK = ZWAMEDIAITEM.ZMESSAGE
        LEFT JOIN ZWACHATSESSION ON ZWACHATSESSION.Z_PK = ZWAMESSAGE.ZCHATSESSION
        LEFT JOIN ZWAGROUPMEMBER ON ZWAGROUPMEMBER.Z_PK = ZWAMESSAGE.ZGROUPMEMBER
        WHERE length(ZWAMEDIAITEM.ZVCARDNAME) = 44
        ORDER BY ZWAMEDIAITEM.Z_PK
    """

    def record(self, row: Row) -> ReferencedFile | None:
        """One medium; `None` if the column holds a name that only has the length of a digest."""
        digest = _sha256(row["digest"])
        if not digest:
            return None
        path, mine = text(row["path"]), row["from_me"]
        chat, name = text(row["chat_jid"]), text(row["chat_name"])
        senders = (text(row["member_jid"]), text(row["from_jid"]), chat)
        other = next((jid for jid in senders if not isinstance(jid, Absent)), Absent.NOT_RECORDED)
        return ReferencedFile(
            source=row.locator,
            application="WhatsApp",
            algorithm="sha256",
            digest=digest,
            name=path.rpartition("/")[2] if isinstance(path, str) else path,
            path=path,
            size=number(row["size"]),
            recorded=cocoa_s(row["time"]),
            state=Absent.NOT_RECORDED if mine is None else "sent" if mine == 1 else "received",
            conversation=f"{name} ({chat})" if isinstance(name, str) and isinstance(chat, str) else chat,
            sender=Absent.NOT_RECORDED if mine is None else "me" if mine == 1 else other,
            context=text(row["mime_type"]),
            url=text(row["url"]),
        )


def _sha256(stored: object) -> str:
    try:
        digest = base64.b64decode(stored, validate=True) if isinstance(stored, str) else b""
    except (binascii.Error, ValueError):
        return ""
    return digest.hex() if len(digest) == 32 else ""
