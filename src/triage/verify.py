"""Is everything still what it was? The case against its custody log, its surroundings against its manifest, evidence
against its digests.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from triage import __version__
from triage.case import custody
from triage.case.custody import CustodyEntry, file_digest, file_digests
from triage.case.digest import content_digest, provenance_digest
from triage.case.manifest import DependedFile, depended_files, plugin_module
from triage.case.reader import CaseReader
from triage.case.rows import EvidenceRow
from triage.case.store import CaseStore
from triage.errors import CaseError, EvidenceError, IntegrityError
from triage.evidence.entry import OpenOptions
from triage.evidence.integrity import digest_media
from triage.evidence.open import open_evidence

Progress = Callable[[int], None]

_BUNDLED: Final = "bundled:"
_WRITTEN: Final = (custody.EXPORTS_WRITTEN, custody.REPORT_WRITTEN)


class Check(NamedTuple):
    """One thing that was checked. ``ok`` is `None` if it could not be checked here, and ``detail`` says why."""

    name: str
    ok: bool | None
    detail: str


def verify_case(case: Path, operator: str, progress: Progress | None = None) -> list[Check]:
    """Check a case, all that its results depend on, and its evidence; log the result in the custody log.

    Nothing is logged if the log itself is broken, or if the case cannot be written to (read-only media, a scan that is
    running). ``progress`` gets the number of bytes of media done.

    Raises:
        CaseError: there is no case.
    """
    try:
        store = _open(case)
    except IntegrityError as error:
        return [Check("case store", False, str(error))]
    with store:
        checks = list(_checks(store, progress))
        if store.writable and checks[1].ok:
            result = {check.name: {True: "ok", False: "failed", None: "not checked"}[check.ok] for check in checks}
            store.custody.append(custody.VERIFIED, result, time.time_ns(), operator)
    return checks


def _open(case: Path) -> CaseStore:
    try:
        return CaseStore.open(case, writable=True)
    except IntegrityError:
        raise
    except CaseError:
        # Read-only media, or a scan that is still running.
        return CaseStore.open(case)


def _checks(store: CaseReader, progress: Progress | None) -> Iterator[Check]:
    yield _guarded("case store", lambda: _store(store))
    yield _guarded("custody log", lambda: _log(store))
    yield _guarded("content", lambda: _content(store))
    yield _guarded("manifest", lambda: _provenance(store))
    for action in _WRITTEN:
        entry = store.custody.last(action)
        if entry is not None:
            yield _written(store.folder, entry)
    manifest = store.manifest()
    for needed in depended_files(manifest):
        yield _file(needed, manifest)
    for row in store.evidence():
        yield _stat(store, row)
        yield _media(row, progress)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except CaseError as error:
        return Check(name, False, str(error))


def _store(store: CaseReader) -> Check:
    found = store.integrity()
    return Check("case store", not found, "; ".join(found[:3]) or "the database is whole")


def _log(store: CaseReader) -> Check:
    count = store.custody.check()
    return Check("custody log", True, f"{count} entries, last digest {store.custody.head()}")


def _content(store: CaseReader) -> Check:
    finished, started = store.custody.last(custody.SCAN_FINISHED), store.custody.last(custody.SCAN_STARTED)
    if finished is None or (started is not None and started.number > finished.number):
        return Check("content", None, "the scan has not finished")
    return _equal("content", finished.detail.get("content digest"), content_digest(store))


def _provenance(store: CaseReader) -> Check:
    entries = [store.custody.last(action) for action in _WRITTEN]
    sealed = [e for e in entries if e is not None and "provenance digest" in e.detail]
    if not sealed:
        return Check("manifest", None, "no report was written since the scan, so no digest of it was logged")
    return _equal("manifest", sealed[-1].detail["provenance digest"], provenance_digest(store))


def _equal(name: str, logged: object, now: str) -> Check:
    same = logged == now
    return Check(name, same, f"digest {now}" if same else f"digest {now}, but {logged} was logged")


def _written(case: Path, entry: CustodyEntry) -> Check:
    folder, logged = str(entry.detail["folder"]), dict(entry.detail["files"])
    place = case / folder
    if not place.is_dir():
        return Check(folder, None, "the folder is not here")
    now = file_digests(place)
    changed = sorted(name for name in logged if name in now and now[name] != logged[name])
    missing, added = sorted(logged.keys() - now.keys()), sorted(now.keys() - logged.keys())
    words = [
        f"{word}: {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
        for word, names in (("changed", changed), ("missing", missing), ("added", added))
        if names
    ]
    return Check(folder, not words, "; ".join(words) or f"{len(now)} files are as they were written")


def _file(needed: DependedFile, manifest: Mapping[str, Any]) -> Check:
    path = _place(needed, manifest)
    if path is None or not path.is_file():
        return Check(needed.what, None, f"{needed.path or 'its file'} is not here")
    now = file_digest(path)
    if now == needed.sha256:
        return Check(needed.what, True, f"{path}, digest {now}")
    scanned_with = str(manifest.get("suite", {}).get("version", ""))
    if scanned_with != __version__ and path != Path(needed.path):
        return Check(needed.what, None, f"this is version {__version__}, the scan was made with {scanned_with}")
    return Check(needed.what, False, f"{path} has digest {now}, but {needed.sha256} at the scan")


def _place(needed: DependedFile, manifest: Mapping[str, Any]) -> Path | None:
    """Where a file that results depend on is on this machine, without importing any of it."""
    if needed.path.startswith(_BUNDLED):
        rules = _package_folder("triage_rules")
        return next(iter(sorted(rules.rglob(needed.path.removeprefix(_BUNDLED)))), None) if rules else None
    if needed.path:
        return Path(needed.path)
    top, *rest = plugin_module(manifest, needed.what.partition(" ")[2]).split(".")
    folder = _package_folder(top)
    return folder.joinpath(*rest).with_suffix(".py") if folder else None


def _package_folder(package: str) -> Path | None:
    spec = find_spec(package) if package else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _stat(store: CaseReader, row: EvidenceRow) -> Check:
    name = f"files of {row.label}"
    opened = store.custody.opened_states(row.path)
    if opened is None:
        return Check(name, None, "size and time at the scan were not logged")
    wrong, missing = [], []
    for path, (size, mtime) in sorted(opened.items()):
        try:
            status = Path(path).stat()
        except OSError:
            missing.append(path)
            continue
        if [status.st_size, status.st_mtime_ns] != [size, mtime]:
            wrong.append(path)
    if wrong:
        return Check(name, False, f"size or modification time is not that of the scan: {', '.join(wrong[:3])}")
    if missing:
        return Check(name, None, f"not here: {', '.join(missing[:3])}")
    return Check(name, True, f"{len(opened)} files with the sizes and times of the scan")


def _media(row: EvidenceRow, progress: Progress | None) -> Check:
    name = f"media of {row.label}"
    expected = {**row.computed_digests, **row.stored_digests}
    if not expected:
        return Check(name, None, "no digest of the media is stored or was computed")
    if not Path(row.path).exists():
        return Check(name, None, f"{row.path} is not here")
    try:
        evidence = open_evidence(Path(row.path), row.label, OpenOptions())
        if evidence.source is None:
            return Check(name, None, "this kind of evidence has no media to digest")
        made = digest_media(evidence.source, tuple(sorted(expected)), progress)
    except EvidenceError as error:
        return Check(name, False, str(error))
    if made.unreadable:
        lost = sum(length for _, length in made.unreadable)
        return Check(name, False, f"{lost:,} bytes cannot be read")
    wrong = sorted(algorithm for algorithm, digest in expected.items() if made.digests[algorithm] != digest)
    if wrong:
        return Check(name, False, "; ".join(f"{a} is {made.digests[a]}, expected {expected[a]}" for a in wrong))
    return Check(name, True, "; ".join(f"{a} {d}" for a, d in sorted(expected.items())))
