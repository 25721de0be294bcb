"""Report and exports of a case in their places, and in its custody log."""

import time
from pathlib import Path
from typing import Final

from triage.case import custody
from triage.case.digest import provenance_digest
from triage.case.store import CaseStore
from triage.report.exports import write_exports
from triage.report.html import write_report

REPORT: Final = "report"
EXPORTS: Final = "exports"


def write_all(store: CaseStore, case: Path, operator: str) -> Path:
    """Write ``exports/`` and ``report/`` of a case, log both with digests of their files; return the first page.

    Raises:
        CaseError: the store is open for reading only, or a folder cannot be written.
    """
    provenance = provenance_digest(store)
    for action, write, name in (
        (custody.EXPORTS_WRITTEN, write_exports, EXPORTS),
        (custody.REPORT_WRITTEN, write_report, REPORT),
    ):
        write(store, case / name)
        custody.record_written(store.custody, action, case, case / name, time.time_ns(), operator, provenance)
    return case / REPORT / "index.html"
