import pytest

from triage.errors import EvidenceError
from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType, content
from triage.evidence.memory import MemoryFileSystem, as_evidence, memory_evidence
from triage.locator import Locator

FILES = {"/b/second.txt": b"two", "/a.txt": b"one", "/b/c/empty": b"", "/b-/x": b"x"}


def walk(system: MemoryFileSystem) -> list[Entry]:
    return [item for item in system.walk() if isinstance(item, Entry)]


def test_directories_are_implied_and_come_before_what_is_in_them() -> None:
    system = MemoryFileSystem(FILES, Locator("m"))
    entries = walk(system)

    assert [(e.path, e.type, e.size) for e in entries] == [
        ("/a.txt", "r", 3),
        ("/b", "d", 0),
        ("/b-", "d", 0),
        ("/b-/x", "r", 1),
        ("/b/c", "d", 0),
        ("/b/c/empty", "r", 0),
        ("/b/second.txt", "r", 3),
    ]
    assert len({e.address for e in entries}) == len(entries)


@pytest.mark.parametrize("extents", [False, True])
def test_content_is_the_same_with_and_without_extents(extents: bool) -> None:
    system = MemoryFileSystem(FILES, Locator("m"), extents=extents)
    files = [e for e in walk(system) if e.type == EntryType.FILE]

    assert all((e.extents is not None) == extents for e in files)
    assert {e.path: content(system, e).read_at(0, 100) for e in files} == FILES
    assert {e.path: system.open(e).read_at(0, 100) for e in files} == FILES


def test_deleted_names_and_times_are_what_was_given() -> None:
    times = EntryTimes(1, 2, 3, 4)
    system = MemoryFileSystem({"/x": b"1", "/y": b"2"}, Locator("m", "p1"), deleted=["/x"], times={"/y": times})
    x, y = walk(system)

    assert x.flags == EntryFlag.DELETED | EntryFlag.META_UNALLOCATED
    assert (y.flags, y.times) == (0, times)


def test_evidence_has_one_volume_that_can_be_walked() -> None:
    evidence = memory_evidence(FILES, "phone")

    assert evidence.label == "phone"
    assert list(evidence.file_systems()) == [""]
    assert list(as_evidence(MemoryFileSystem({}, Locator("m", "p1"))).file_systems()) == ["p1"]


@pytest.mark.parametrize("path", ["relative", "/", "/a/", "//a", "/a/./b", ""])
def test_what_is_no_path_of_a_file_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="absolute path"):
        MemoryFileSystem({path: b""}, Locator("m"))


def test_a_file_that_would_have_to_be_a_directory_is_refused() -> None:
    with pytest.raises(ValueError, match="both a file and a directory"):
        MemoryFileSystem({"/a": b"", "/a/b": b""}, Locator("m"))


def test_opening_what_is_not_there_is_an_evidence_error() -> None:
    system = MemoryFileSystem(FILES, Locator("m"))

    with pytest.raises(EvidenceError, match="no such file"):
        system.open(Entry("/nothing", "r", "9", 1))
