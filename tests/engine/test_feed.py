"""While the walk goes on, workers get the best of what it has found, and nothing twice."""

from triage.case.codec import entry_values
from triage.case.rows import EntryRow, PlannedEntry
from triage.engine.feed import WalkFeed
from triage.engine.plan import SYSTEM, USER_MEDIA
from triage.engine.tasks import BATCH_FILES
from triage.evidence.entry import Entry


def row(number: int, priority: int, size: int = 10, path: str = "/a", wanted: bool = True) -> EntryRow:
    planned = PlannedEntry("p1", Entry(path, "r", "5", size), priority, 1_000 - number, wanted)
    return (number, 1, *entry_values(planned))


def ids(feed: WalkFeed) -> list[int]:
    batch = feed.take()
    return [] if batch is None else [item.id for item in batch.items]


def test_pictures_of_a_user_are_given_at_once_and_in_the_order_of_the_disk() -> None:
    feed = WalkFeed(lambda path: False)
    feed.offer([row(1, SYSTEM), row(2, USER_MEDIA), row(3, USER_MEDIA), row(4, USER_MEDIA, wanted=False)])

    assert ids(feed) == [3, 2]
    assert feed.flying == {2, 3}
    assert ids(feed) == []  # one system file is not worth a batch yet


def test_other_files_are_given_when_a_batch_is_full() -> None:
    feed = WalkFeed(lambda path: False)
    feed.offer([row(n, SYSTEM) for n in range(BATCH_FILES + 5)])

    assert len(ids(feed)) == BATCH_FILES
    assert ids(feed) == []


def test_what_needs_files_beside_it_waits_for_the_end_of_the_walk() -> None:
    feed = WalkFeed(lambda path: path.endswith("History"))
    feed.offer([row(1, USER_MEDIA, path="/u/History"), row(2, USER_MEDIA, path="/u/a.jpg")])

    assert ids(feed) == [2]


def test_it_never_holds_more_than_a_bounded_number_and_keeps_the_best() -> None:
    feed = WalkFeed(lambda path: False)
    feed.offer([row(n, SYSTEM) for n in range(1, 20_001)])
    feed.offer([row(20_001, USER_MEDIA)])
    given = ids(feed)
    while more := ids(feed):
        given += more

    assert given[0] == 20_001
    assert len(given) <= 8_192


def test_what_has_come_back_is_no_longer_out() -> None:
    feed = WalkFeed(lambda path: False)
    feed.offer([row(1, USER_MEDIA), row(2, USER_MEDIA)])
    feed.take()
    feed.answered([1])

    assert feed.flying == {2}
