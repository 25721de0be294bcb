"""Writes all output of a case and seals it in the custody log."""

import time
from pathlib import Path

from triage.case.custody import EXPORTS_WRITTEN, REPORT_WRITTEN, record_written
from triage.case.store import CaseStore
from triage.report.exports import write_exports
from triage.report.html import write_report


def write_all(store: CaseStore, case: Path, operator: str) -> Path:
    """Write ``exports/`` and ``report/`` of a case, log their digests, and return the report's first page.

    Raises:
        CaseError: a folder cannot be written.
    """
    exports = write_exports(store, case / "exports")
    record_written(store.custody, EXPORTS_WRITTEN, case, exports, time.time_ns(), operator)
    index = write_report(store, case / "report")
    record_written(store.custody, REPORT_WRITTEN, case, index.parent, time.time_ns(), operator)
    return index
