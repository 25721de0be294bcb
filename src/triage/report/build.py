"""Report and exports of a case in their places, and in its custody log."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from triage.case import custody
from triage.case.digest import provenance_digest
from triage.case.reader import CaseReader
from triage.case.rows import Coverage
from triage.case.store import CaseStore
from triage.report.exports import write_exports
from triage.report.html import write_report

REPORT: Final = "report"
EXPORTS: Final = "exports"


def build_report(store: CaseStore, case: Path, operator: str, totals: Coverage | None = None) -> Path:
    """Write ``report/`` of a case, log the digests of its files, and return its first page.

    ``totals`` is the coverage of the store, if the caller has counted it already.

    Raises:
        CaseError: the store is open for reading only, or the folder cannot be written.
    """
    return (
        _build(store, case / REPORT, custody.REPORT_WRITTEN, partial(write_report, totals=totals), operator)
        / "index.html"
    )


def build_exports(store: CaseStore, case: Path, operator: str) -> Path:
    """Write ``exports/`` of a case, log the digests of its files, and return the folder. Errors as `build_report`."""
    return _build(store, case / EXPORTS, custody.EXPORTS_WRITTEN, write_exports, operator)


def _build(
    store: CaseStore, folder: Path, action: str, write: Callable[[CaseReader, Path], Path], operator: str
) -> Path:
    provenance = provenance_digest(store)
    write(store, folder)
    custody.record_written(store.custody, action, folder.parent, folder, time.time_ns(), operator, provenance)
    return folder
