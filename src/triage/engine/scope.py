"""What a scan leaves out by design, said in every case: nothing unscanned may look scanned and clean."""

from collections.abc import Iterator
from typing import Final

from triage.case.coverage import type_counts
from triage.case.reader import CaseReader
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_HOLDS_FILES: Final = {
    "application/gzip": "gzip",
    "application/java-archive": "jar",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.rar": "rar",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bzip2",
    "application/x-rar": "rar",
    "application/x-tar": "tar",
    "application/x-xz": "xz",
    "application/zip": "zip",
    "application/zstd": "zstd",
    "message/rfc822": "mail",
    "application/mbox": "mailbox",
    "application/vnd.ms-outlook": "Outlook",
}


def scope_notices(store: CaseReader) -> Iterator[Notice]:
    """One notice per evidence and kind of content that this version does not look into."""
    containers: dict[str, dict[str, int]] = {}
    for label, mime, files in type_counts(store):
        if mime in _HOLDS_FILES:
            found = containers.setdefault(label, {})
            found[_HOLDS_FILES[mime]] = found.get(_HOLDS_FILES[mime], 0) + files
    for label, kinds in containers.items():
        counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
        total = sum(kinds.values())
        message = (
            f"what is inside {total:,} archives and mail files was not examined ({counts}); the files themselves were"
        )
        yield notice(NoticeKind.NOT_EXAMINED, Locator(label), message, "scope")
    for row in store.evidence():
        if row.size:
            message = "space that belongs to no file (unallocated space, slack) was not examined"
            yield notice(NoticeKind.NOT_EXAMINED, Locator(row.label), message, "scope")
