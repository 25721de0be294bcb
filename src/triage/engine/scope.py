"""What a scan leaves out by design, said in every case: nothing unscanned may look scanned and clean."""

from collections.abc import Iterator
from typing import Final

from triage.case.coverage import type_counts
from triage.case.reader import CaseReader
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_MAIL: Final = {
    "message/rfc822": "mail",
    "application/mbox": "mailbox",
    "application/vnd.ms-outlook": "Outlook",
}


def scope_notices(store: CaseReader, carved: bool) -> Iterator[Notice]:
    """One notice per evidence and kind of content that was not looked into; ``carved``: unallocated space was."""
    holders: dict[str, dict[str, int]] = {}
    for label, mime, files in type_counts(store):
        if mime in _MAIL:
            found = holders.setdefault(label, {})
            found[_MAIL[mime]] = found.get(_MAIL[mime], 0) + files
    for label, kinds in holders.items():
        counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
        total = sum(kinds.values())
        message = f"what is attached to {total:,} mail files was not examined ({counts}); the files themselves were"
        yield notice(NoticeKind.NOT_EXAMINED, Locator(label), message, "scope")
    for row in store.evidence():
        if row.size and not carved:
            message = "space that belongs to no file (unallocated space, slack) was not examined"
            yield notice(NoticeKind.NOT_EXAMINED, Locator(row.label), message, "scope")
