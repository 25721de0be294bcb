"""Records survive the way into JSON and back unchanged."""

import json
from typing import get_type_hints

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from triage.absent import Absent
from triage.records import RECORD_TYPES, Record, field_names, record_from_json, record_to_json
from triage.times import Timestamp


@pytest.mark.parametrize("record_type", RECORD_TYPES, ids=lambda record_type: record_type.kind)
def test_every_record_is_equal_after_a_round_trip(record_type: type[Record]) -> None:
    @settings(max_examples=25)
    @given(st.builds(record_type, **{name: st.from_type(hint) for name, hint in _fields(record_type).items()}))
    def check(record: Record) -> None:
        assume(record.source.evidence)
        assume(all(getattr(record, name) == getattr(record, name) for name in field_names(record_type)))  # no NaN
        text = json.dumps(record_to_json(record))

        assert record_from_json(record.kind, json.loads(text)) == record

    check()


def _fields(record_type: type[Record]) -> dict[str, type]:
    return {name: hint for name, hint in get_type_hints(record_type).items() if name != "kind"}


def test_a_missing_value_says_why_and_a_time_keeps_its_stored_number() -> None:
    record = record_from_json(
        "recycled_file",
        {
            "source": {"evidence": "e", "path": "/$I1"},
            "original_path": {"absent": "unparsable"},
            "content_path": "/$R1",
            "size": 4,
            "deleted": {"ns": 5, "stored": "0x5", "encoding": "filetime", "basis": "utc", "resolution_ns": 100},
            "owner": {"absent": "not recorded"},
        },
    )

    assert record.original_path is Absent.UNPARSABLE
    assert record.deleted == Timestamp(5, "0x5", "filetime", "utc", 100)
    assert record_to_json(record)["owner"] == {"absent": "not recorded"}


@pytest.mark.parametrize(
    ("kind", "values"),
    [("unheard_of", {}), ("hit", {}), ("hit", {"colour": "red"}), ("visit", {"title": {"absent": "on holiday"}})],
)
def test_what_is_no_record_is_a_value_error(kind: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"record|not a valid"):
        record_from_json(kind, values)
