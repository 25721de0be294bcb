"""Evidence and case are kept apart, and evidence stays what it was."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from triage.case.store import CaseStore
from triage.engine.manifest import file_states
from triage.errors import EvidenceError, UsageError
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

States = Mapping[Path, Mapping[str, list[int]]]
"""Size and modification time of the files of each evidence, by its path."""


def check_apart(evidence: Iterable[Path], case: Path) -> None:
    """See that evidence exists, and that evidence and case do not lie in one another.

    Raises:
        UsageError: it is not so.
    """
    case = case.resolve()
    for path in evidence:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        real = path.resolve()
        if real.is_dir() and (case == real or real in case.parents):
            raise UsageError(f"the case folder {case} lies inside the evidence {real}; nothing is written there")
        if case == real or case in real.parents:
            raise UsageError(f"the evidence {real} lies inside the case folder {case}; keep them apart")


def check_as_begun(store: CaseStore, asked: Iterable[Path]) -> None:
    """See that evidence which the case knows already is still what it was.

    Raises:
        EvidenceError: size or modification time of a file is another.
    """
    wanted = set(asked)
    for row in store.evidence():
        logged = store.custody.opened_states(row.path)
        if Path(row.path) in wanted and logged is not None and file_states(map(Path, row.files)) != logged:
            message = "size or modification time is not that with which this case was begun"
            raise EvidenceError(f"{row.path}: {message}")


def changed_since(store: CaseStore, before: States) -> Iterator[Notice]:
    """A loud word for each evidence of which a file is no longer what it was when the scan began."""
    for row in store.evidence():
        states = before.get(Path(row.path))
        if states is not None and file_states(map(Path, states)) != states:
            message = "size or modification time of an evidence file changed while it was being scanned"
            yield notice(NoticeKind.DAMAGED, Locator(row.label), message, "evidence")
