"""Rules are applied to all content in windows, with offsets in the file, and faulty rules stop the start."""

from pathlib import Path

import pytest
import yara
from triage_plugins import yara_scan
from triage_plugins.yara_scan import Options, Texts, YaraRules

from triage.api import Hit, SkipFile
from triage.testing import check_golden, plugin_file, run_plugin

NEEDLE = """
rule needle : a b
{
    meta: description = "a needle"
    strings: $a = "needle" $b = "hay"
    condition: $a and #b >= 0
}"""
HEAD = 'rule start { meta: scope = "head" strings: $a = "begin" condition: $a at 0 }'
MIXED = NEEDLE + "\n" + HEAD.replace("rule start", "rule start_mixed")


def own(folder: Path, *rules: str) -> YaraRules:
    for number, text in enumerate(rules):
        (folder / f"{number}.yar").write_text(text)
    return YaraRules(Options((folder,), bundled=False))


def hits(scanner: YaraRules, content: bytes, window: int = 1 << 20) -> list[Hit]:
    records = run_plugin(scanner, plugin_file("/a/b.bin", content), window)
    return [record for record in records if isinstance(record, Hit)]


def test_hits_are_as_expected(tmp_path: Path) -> None:
    link = b"see ed2k://|file|boats.avi|1024|0123456789abcdef0123456789abcdef|/"
    records = [
        *run_plugin(YaraRules(), plugin_file("/emule/config/known.met", b"\x0e\x01\0\0\0")),
        *run_plugin(YaraRules(), plugin_file("/a/links.txt", bytes(1000) + link)),
        *run_plugin(own(tmp_path, NEEDLE), plugin_file("/a/hay.txt", b"hay and a needle")),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_offsets_are_those_of_the_file_in_every_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(YaraRules, "overlap", 16)
    found = hits(own(tmp_path, NEEDLE), bytes(997) + b"needle" + bytes(2000), window=1000)

    assert [hit.source.offset for hit in found] == [997]
    assert "at 997" in found[0].detail


def test_rules_for_the_head_count_there_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(YaraRules, "overlap", 0)
    for rules in ((HEAD,), (MIXED,)):
        scanner = own(tmp_path, *rules)

        assert len(hits(scanner, b"begin" + bytes(3000), window=1000)) == 1
        assert hits(scanner, bytes(1000) + b"begin" + bytes(2000), window=1000) == []


def test_a_scan_that_takes_too_long_is_never_silently_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def match(self, **_: object) -> list[object]:
            raise yara.TimeoutError("internal error: 26")

    monkeypatch.setattr(yara_scan, "_compiled", lambda _: Slow())
    scanner = own(tmp_path, NEEDLE)

    with pytest.raises(SkipFile, match=f"more than {yara_scan.SECONDS} s from offset 0"):
        hits(scanner, b"x")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("rule broken { condition: $a }", "0.yar.*undefined"),
        ('include "other.yar"\nrule x { condition: true }', "includes are disabled"),
        ("rule unknown { condition: nothing_known }", "undefined identifier"),
        (b'rule x { strings: $a = "\xff\xfe" condition: $a }', "not UTF-8 text"),
        ('rule x { meta: needs_start = "(" condition: true }', "needs_start.*0.yar.*missing"),
    ],
)
def test_rules_that_do_not_compile_stop_the_start_and_are_named(tmp_path: Path, rule: str | bytes, reason: str) -> None:
    (tmp_path / "0.yar").write_bytes(rule if isinstance(rule, bytes) else rule.encode())

    with pytest.raises(ValueError, match=reason):
        YaraRules(Options((tmp_path,)))


def test_a_folder_without_rules_or_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no"):
        YaraRules(Options((tmp_path,)))
    with pytest.raises(ValueError, match="cannot be read"):
        YaraRules(Options((tmp_path / "nowhere.yar",)))


def test_what_many_matches_would_print_is_not_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (hit,) = hits(own(tmp_path, NEEDLE), b"needle hay " * 200_000, window=4 << 20)

    assert hit.source.offset == 0
    assert capfd.readouterr() == ("", "")


def test_rules_that_name_types_are_applied_to_these_only(tmp_path: Path) -> None:
    typed = 'rule %s { meta: types = "image/*, text/plain" strings: $a = "needle" condition: $a }'
    scanner = own(tmp_path, typed % "one" + "\n" + typed % "two")
    text = plugin_file("/a.txt", b"a needle in plain words\n" * 20)
    database = plugin_file("/a.db", b"SQLite format 3\0 needle" + bytes(500))

    assert {hit.name for hit in run_plugin(scanner, text)} == {"one", "two"}
    assert run_plugin(scanner, database) == []


STATES = 'rule %s { meta: %s strings: $a = "needle" ascii wide condition: $a or filesize == 1 }'
"""A rule that matches where its reach does not let it look, so that one can see what that is."""


@pytest.mark.parametrize(
    ("states", "content", "seen"),
    [
        ("", b"x", True),
        ('needs_name = "*.dat, B.BI?"', b"x", True),
        ('needs_name = "a"', b"x", False),
        ('needs_path = "/A/"', b"x", True),
        ('needs_path = "a.bin"', b"x", False),
        ('needs_start = "x|y"', b"x", True),
        ('needs_start = ".x"', b"x", False),
        ('needs_start = ".{0,9}\\\\x00needle"', b"\n1\0needle", True),
        ('needs_text = "needle, x"', b"x", True),
        ('needs_text = "needle"', b"x", False),
        ('needs_text = "needle"', "needle".encode("utf-16-le"), False),
        ('needs_wide = "needle"', "needle".encode("utf-16-le"), True),
        ('needs_name = "a" needs_text = "eed"', b"needle", True),
        ('scope = "start" needs_text = "needle"', bytes(4096 - 6) + b"needle", True),
        ('scope = "start" needs_text = "needle"', bytes(4096 - 5) + b"needle", False),
        ('scope = "head" needs_text = "needle"', bytes((256 << 10) - 6) + b"needle", True),
        ('scope = "head" needs_text = "needle"', bytes((256 << 10) - 5) + b"needle", False),
    ],
)
def test_rules_are_run_where_they_say_that_they_can_match(
    tmp_path: Path, states: str, content: bytes, seen: bool
) -> None:
    rule = STATES % ("one", states) if states else "rule one { condition: filesize == 1 }"

    assert [hit.name for hit in hits(own(tmp_path, rule), content)] == ["one"] * seen


def test_a_rule_that_states_nothing_is_run_with_all_of_its_file(tmp_path: Path) -> None:
    gated, open_ = STATES % ("gated", 'scope = "start" needs_name = "a"'), STATES % ("open", 'author = "a"')

    assert [hit.name for hit in hits(own(tmp_path, gated + open_), b"x")] == ["gated", "open"]
    assert [hit.name for hit in hits(own(tmp_path, gated, open_), b"x")] == ["open"]


def test_what_a_text_needs_is_found_in_every_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(YaraRules, "overlap", 8)
    scanner = own(tmp_path, STATES % ("one", 'needs_text = "needle"'))

    for at in (0, 994, 997, 999, 1000, 1990, 2500):
        found = hits(scanner, bytes(at) + b"needle" + bytes(600), window=1000)
        assert {hit.source.offset for hit in found} == {at}


def test_texts_are_found_wherever_they_are_and_in_any_case() -> None:
    texts = Texts([b"needle", "Nadel".encode("utf-16-le"), b"\0(", b"needles"])

    assert texts.among(b"") == set()
    assert texts.among(b"neede" * 1000) == set()
    for at in (0, 1, 63, 64, 4095, 70_001):
        assert texts.among(bytes(at) + b"NeedleS") == {b"needle", b"needles"}
        assert texts.among(b"x" * at + "nADEL".encode("utf-16-le") + b"\0(") == {"Nadel".encode("utf-16-le"), b"\0("}
    assert Texts([]).among(b"needle") == set()
