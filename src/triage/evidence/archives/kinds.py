"""Which MIME types are archives. Apart from the readers, because the coordinator of a scan needs no more than this."""

from typing import Final

_ZIP: Final = frozenset(
    (
        "application/zip application/java-archive application/vnd.android.package-archive application/epub+zip "
        "application/x-zip-compressed application/vnd.comicbook+zip application/x-ufdr "
    ).split()
)
_PREFIXES: Final = (
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
    "application/vnd.ms-xpsdocument",
)


_OTHERS: Final = frozenset(
    (
        "application/x-tar application/gzip application/x-gzip application/x-bzip2 application/x-bzip application/x-xz "
        "application/x-lzma application/zstd application/x-7z-compressed application/x-rar application/vnd.rar"
    ).split()
)


def is_archive(mime: str) -> bool:
    """Whether files of this type are archives that `triage.evidence.archives.open` reads."""
    return mime in _OTHERS or is_zip(mime)


def is_zip(mime: str) -> bool:
    """Whether files of this type are zip archives."""
    return mime in _ZIP or mime.startswith(_PREFIXES)
