"""The verification of whole media: digests as stored in the image, and what could not be read."""

from collections.abc import Iterator

from triage.case.rows import EvidenceRow
from triage.engine.profile import Profile
from triage.engine.tasks import DigestTask, Lost
from triage.evidence.integrity import MediaDigest
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

ORIGIN = "media"


def digest_tasks(rows: list[EvidenceRow], profile: Profile) -> Iterator[DigestTask]:
    """What is still to be digested: media with a stored digest to compare with, and raw ones if the profile says so."""
    for row in rows:
        algorithms = tuple(row.stored_digests) or (("sha256",) if profile.digest_raw_media else ())
        if algorithms and not row.computed_digests and row.type != "folder":
            yield DigestTask(row.id, algorithms)


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


def not_digested(row: EvidenceRow, lost: Lost) -> Notice:
    """The notice for media that could not be digested."""
    return notice(lost.kind, Locator(row.label), f"the media could not be digested: {lost.reason}", ORIGIN)
