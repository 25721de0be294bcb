"""The custody log shows what was taken out, changed or cut off."""

import sqlite3
from pathlib import Path

import pytest
from sample import fill

from triage.case import custody
from triage.case.store import CaseStore
from triage.errors import IntegrityError


@pytest.fixture
def case(tmp_path: Path) -> Path:
    fill(tmp_path / "case").close()
    return tmp_path / "case"


def tamper(case: Path, sql: str) -> None:
    db = sqlite3.connect(case / "case.sqlite")
    with db:
        db.execute(sql)
    db.close()


def test_a_whole_log_is_whole(case: Path) -> None:
    with CaseStore.open(case) as store:
        assert store.custody.check() == 4
        assert [entry.number for entry in store.custody.entries()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DELETE FROM custody WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM custody WHERE number = 4", "entries after 3 are missing"),
        ("DELETE FROM custody", "entries after 0 are missing"),
        ("UPDATE custody SET at_ns = at_ns + 1 WHERE number = 3", "entry 3 .evidence opened. is not what was written"),
        ("UPDATE custody SET operator = 'X' WHERE number = 1", "entry 1 .case created. is not what was written"),
        ("UPDATE custody SET detail = '{}' WHERE number = 4", "entry 4 .scan finished. is not what was written"),
        ("UPDATE custody SET number = 9 WHERE number = 2", "entry 2 is missing"),
    ],
)
def test_tampering_is_found_and_the_first_broken_link_named(case: Path, sql: str, message: str) -> None:
    tamper(case, sql)

    with CaseStore.open(case) as store, pytest.raises(IntegrityError, match=message):
        store.custody.check()


def test_entries_are_sealed_with_the_one_before(case: Path) -> None:
    with CaseStore.open(case, writable=True) as store:
        before = store.custody.head()
        digest = store.custody.append(custody.VERIFIED, {"all": True}, 5, "")
        last = store.custody.last(custody.VERIFIED)

    assert last is not None
    assert (before, digest) == (last.previous, last.digest)


def test_the_text_has_one_line_an_entry_whatever_the_operator_is_called(case: Path) -> None:
    with CaseStore.open(case, writable=True) as store:
        store.custody.append(custody.VERIFIED, {"a\nb": "\u202e"}, 5, "two\nlines\tand \u202e")
        lines = list(store.custody.lines())

    assert len(lines) == 5
    assert all(len(line.split("\t")) == 6 for line in lines)
    assert not [line for line in lines if "\n" in line or "\u202e" in line]
