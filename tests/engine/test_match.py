"""Path and type patterns select what their documentation says."""

import doctest
import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.engine import match
from triage.engine.match import PathMatcher, TypeMatcher


def test_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(match).failed == 0


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("**/History", "/History", True),
        ("**/History", "/a/b/HISTORY", True),
        ("**/History", "/a/History/b", False),
        ("/Users/*/AppData/**/History", "/Users/x/AppData/History", True),
        ("/Users/*/AppData/**/History", "/Users/x/y/AppData/History", False),
        ("users/*/a", "/Users/x/A", True),
        ("**/$Recycle.Bin/*/$I*", "/$RECYCLE.BIN/S-1-5-21/$IABC.txt", True),
        ("**/$Recycle.Bin/*/$I*", "/$RECYCLE.BIN/S-1-5-21/$RABC.txt", False),
        ("**/*.{jpg,jpeg}", "/DCIM/100/a.b.JPEG", True),
        ("**/*.jpg", "/DCIM/.jpg", True),
        ("**/*.jpg", "/DCIM/jpg", False),
        ("**/a?c", "/a/c", False),
        ("**/a?c", "/abc", True),
        ("**/[ab]x", "/bx", True),
        ("**/[!ab]x", "/bx", False),
        ("**/[!ab]x", "/cx", True),
        ("**/x[1-3].db", "/q/x2.db", True),
        ("**/[]]", "/]", True),
        ("**/[", "/[", True),
        ("/tdata/**", "/tdata/a/b", True),
        ("/tdata/**", "/tdata", False),
        ("/a/**/**/b", "/a/b", True),
        ("**/new\nline*", "/new\nline.txt", True),
        ("**/a.b", "/axb", False),
    ],
)
def test_a_pattern_means_what_it_says(pattern: str, path: str, fits: bool) -> None:
    assert PathMatcher([pattern])(path) is fits


@pytest.mark.parametrize("pattern", ["**/a**b", "{a,b", "a}b", "**//x", "{" * 3 + "}" * 2, "{a,b}" * 12, "[z-a]"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|\*\*"):
        PathMatcher([pattern])


def test_no_pattern_accepts_everything() -> None:
    assert PathMatcher([])("/anything")
    assert TypeMatcher([])("image/png")


@given(st.text(alphabet="ab.*?", max_size=6).filter(lambda text: "**" not in text and text), st.text("ab.", max_size=6))
def test_within_one_part_a_pattern_works_as_in_a_shell(pattern: str, name: str) -> None:
    assert PathMatcher(["**/" + pattern])("/x/" + name) is fnmatch.fnmatchcase(name, pattern)


@given(
    st.lists(st.sampled_from(["a", "b", "**"]), min_size=1, max_size=5),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=6),
)
def test_any_depth_includes_none(pattern: list[str], path: list[str]) -> None:
    def fits(left: list[str], right: list[str]) -> bool:
        if not left:
            return not right
        if left == ["**"]:
            return bool(right)
        if left[0] == "**":
            return fits(left[1:], right) or (bool(right) and fits(left, right[1:]))
        return bool(right) and left[0] == right[0] and fits(left[1:], right[1:])

    assert PathMatcher(["/".join(pattern)])("/" + "/".join(path)) is fits(pattern, path)


@given(
    st.lists(st.sampled_from(["**/a", "**/*.b", "x/**", "**/c*", "**/a/b"]), max_size=5), st.text("abcx./", max_size=8)
)
def test_several_patterns_are_the_sum_of_each(patterns: list[str], path: str) -> None:
    if patterns:
        assert PathMatcher(patterns)(path) is any(PathMatcher([pattern])(path) for pattern in patterns)
