"""The evaluation over planted pictures sees every mistake that it is there to see."""

import hashlib
from typing import Any

import pytest
from bench.planting import BURSTS, Truth, Way, planted_path, way_of
from bench.scoring import BYSTANDERS, SAME_SCENE, Score, render, score

OTHERS = frozenset({"/letter.txt", f"/{BURSTS}/P1.jpg", "/more.zip"})


def digest(name: str, text: object) -> str:
    return hashlib.new(name, str(text).encode()).hexdigest()


def planted(number: int) -> Truth:
    """One picture, planted as its number says."""
    way = way_of(number)
    nameless = way is Way.UNALLOCATED
    return Truth(
        way=way.value,
        original=number,
        sha1=digest("sha1", number),
        md5=digest("md5", number),
        pdq=digest("sha256", number),
        planted_sha1="",
        length=1,
        path="" if nameless else f"/{planted_path(number)}",
        offset=4096 * number if nameless else None,
    )


def number_of(way: Way) -> int:
    return tuple(Way).index(way)


def hit(grade: str, about: int, path: str, **more: object) -> dict[str, Any]:
    value = digest("sha256", about) if grade == "near" else digest("sha1", about)
    detail = f"distance 9 of at most 31, listed as {value}" if grade == "near" else f"sha1 {value}"
    return {"name": "known.csv", "grade": grade, "path": path, "sha1": value, "detail": detail, **more}


def scored(*hits: dict[str, Any]) -> Score:
    return score([planted(number) for number in range(9)], OTHERS, hits, {"known.csv"})


def path_of(way: Way) -> str:
    return f"/{planted_path(number_of(way))}"


def test_the_strongest_right_grade_counts_once() -> None:
    whole, resized = number_of(Way.WHOLE), number_of(Way.RESIZED)
    result = scored(
        hit("near", whole, path_of(Way.WHOLE)),
        hit("exact", whole, path_of(Way.WHOLE)),
        hit("near", resized, path_of(Way.RESIZED)),
    )

    assert result.found == {whole: "exact", resized: "near"}
    assert result.distances == {whole: 9, resized: 9}
    assert len(result.missed()) == 7
    assert result.wrong == []


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("/letter.txt", BYSTANDERS),
        ("/more.zip/inner.jpg", BYSTANDERS),
        (f"/{BURSTS}/P1.jpg", SAME_SCENE),
        (path_of(Way.RENAMED), Way.RENAMED.value),
        (path_of(Way.CUT), Way.CUT.value),
    ],
)
@pytest.mark.parametrize("grade", ["exact", "near"])
def test_a_hit_on_what_is_no_copy_is_wrong(path: str, row: str, grade: str) -> None:
    result = scored(hit(grade, number_of(Way.WHOLE), path))

    assert [(one.row, one.grade) for one in result.wrong] == [(row, grade)]
    assert len(result.wrong_exact) == (grade == "exact")
    assert result.found == {}


def test_an_exact_match_of_an_altered_copy_or_with_another_digest_is_wrong() -> None:
    resized, whole = number_of(Way.RESIZED), number_of(Way.WHOLE)
    other = hit("exact", whole, path_of(Way.WHOLE), sha1=digest("sha1", "another"))

    assert len(scored(hit("exact", resized, path_of(Way.RESIZED)), other).wrong_exact) == 2


def test_what_has_no_name_is_right_at_its_own_place_only() -> None:
    number = number_of(Way.UNALLOCATED)
    right = hit("partial", number, f"/$Unallocated/{4096 * number}.jpg")
    wrong = hit("partial", number, "/$Unallocated/512.jpg")
    result = scored(right, wrong)

    assert result.found == {number: "partial"}
    assert [one.path for one in result.wrong] == ["/$Unallocated/512.jpg"]


def test_other_lists_and_rules_are_left_out() -> None:
    number = number_of(Way.WHOLE)
    result = scored(
        hit("exact", number, "/letter.txt", name="other.csv"), hit("indicator", number, "/letter.txt", name="known.csv")
    )

    assert (result.found, result.wrong) == ({}, [])


def test_the_table_shows_every_way_and_every_mistake() -> None:
    text = render(scored(hit("exact", number_of(Way.WHOLE), "/letter.txt")))
    rows = {cells[1].strip(): [cell.strip() for cell in cells[2:-1]] for line in text.splitlines()
            if len(cells := line.split("|")) == 10}  # fmt: skip

    assert {way.value for way in Way} <= rows.keys()
    assert rows["whole"] == ["1", "0", "0", "0", "0", "1", "0"]
    assert rows[BYSTANDERS] == ["2", "", "", "", "", "", "1"]
    assert rows["all planted"] == ["9", "0", "0", "0", "0", "9", "1"]
    assert "`/letter.txt`" in text
