"""The verification of whole media: digests as stored in the image, and what could not be read."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from triage.case.rows import EvidenceRow
from triage.case.store import CaseStore
from triage.engine.profile import Profile
from triage.engine.tasks import Digested, DigestTask, Lost
from triage.evidence.integrity import MediaDigest
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

ORIGIN = "media"
_TRIES: Final = 2


class MediaDigests:
    """Gives out media to be digested and takes in what comes back; ``doubt`` stores notices."""

    def __init__(self, store: CaseStore, doubt: Callable[[list[Notice]], None]) -> None:
        self._store = store
        self._doubt = doubt
        self._tries: Counter[int] = Counter()

    def tasks(self, profile: Profile) -> Iterator[DigestTask]:
        """What is still to be digested: media with a stored digest to compare with, raw ones if the profile says so."""
        for row in self._store.evidence():
            algorithms = tuple(row.stored_digests) or (("sha256",) if profile.digest_raw_media else ())
            if algorithms and not row.computed_digests and row.type != "folder":
                yield DigestTask(row.id, algorithms)

    def done(self, answer: Digested) -> None:
        """A digest is made."""
        row = self._row(answer.task)
        # In this order: were digests stored first, a kill in between would lose the doubts, for nothing is done twice.
        self._doubt(judge(row, answer.digest))
        self._store.set_computed_digests(row.id, answer.digest.digests)

    def lost(self, task: DigestTask, lost: Lost) -> DigestTask | None:
        """A worker died over a digest: the task to try again, or `None` where it is given up with a notice."""
        self._tries[task.evidence] += 1
        if self._tries[task.evidence] < _TRIES:
            return task
        place = Locator(self._row(task).label)
        self._doubt([notice(lost.kind, place, f"the media could not be digested: {lost.reason}", ORIGIN)])
        return None

    def _row(self, task: DigestTask) -> EvidenceRow:
        return next(row for row in self._store.evidence() if row.id == task.evidence)


def judge(row: EvidenceRow, digest: MediaDigest) -> list[Notice]:
    """What the digests of an evidence's media say against it."""
    place = Locator(row.label)
    doubts = []
    for offset, length in digest.unreadable:
        message = f"{length:,} bytes of the media at offset {offset:,} cannot be read or fail their check value"
        doubts.append(notice(NoticeKind.DAMAGED, place.at(offset), message, ORIGIN))
    for name, stored in row.stored_digests.items():
        computed = digest.digests.get(name)
        if computed is not None and computed != stored:
            message = f"the {name.upper()} of the media is {computed}, the image stores {stored}"
            doubts.append(notice(NoticeKind.DAMAGED, place, message, ORIGIN))
    return doubts
