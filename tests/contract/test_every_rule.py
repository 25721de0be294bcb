"""Every bundled rule is documented, compiles alone, finds its example and leaves its near miss alone."""

import re
from importlib import resources
from pathlib import Path

import pytest
import yara
from rule_examples import EXAMPLES
from triage_plugins.yara_scan import NAMES, NEEDS, Options, YaraRules

from triage.testing import plugin_file, run_plugin

FILES = sorted(each.name for each in resources.files("triage_rules.yara").iterdir() if each.name.endswith(".yar"))
SOURCES = {name: resources.files("triage_rules.yara").joinpath(name).read_text("utf-8") for name in FILES}
RULES = {
    m[1]: (file, m[0]) for file, text in SOURCES.items() for m in re.finditer(r"^rule (\w+).*?^\}", text, re.M | re.S)
}
SCOPE_OF_FILE = {
    "content.yar": None,
    "programs.yar": None,
    "databases.yar": "head",
    "head.yar": "head",
    "settings.yar": "head",
}
"""All others hold rules that look at the start of a file only."""


@pytest.fixture(scope="module")
def scanner() -> YaraRules:
    return YaraRules()


def names(scanner: YaraRules, sample: tuple[bytes, str]) -> set[str]:
    return {hit.name for hit in run_plugin(scanner, plugin_file(sample[1], sample[0]))}


def test_no_rule_lacks_an_example_and_no_example_a_rule() -> None:
    assert set(RULES) == set(EXAMPLES)
    assert len(RULES) == sum(text.count("\nrule ") for text in SOURCES.values())


@pytest.mark.parametrize("rule", RULES)
def test_it_is_documented_and_compiles_alone(rule: str) -> None:
    file, text = RULES[rule]
    (compiled,) = yara.compile(
        source=text, externals=NAMES, includes=False, error_on_warning=rule != "bitlocker_recovery_key"
    )
    meta = compiled.meta

    assert set(meta) - {"scope", "types", *NEEDS} == {"description", "author", "reference", "example"}
    assert meta["author"] == "forensic-triage"
    assert meta["reference"] == "format observation" or meta["reference"].startswith("https://")
    assert len(meta["description"]) > 10
    assert compiled.tags
    assert meta.get("scope") == SCOPE_OF_FILE.get(file, "start")


@pytest.mark.parametrize("rule", RULES)
def test_it_finds_its_example_and_not_the_near_miss(rule: str, scanner: YaraRules) -> None:
    example = EXAMPLES[rule]

    assert rule in names(scanner, example.hit)
    assert rule not in names(scanner, example.miss)


@pytest.mark.parametrize("rule", RULES)
def test_its_example_is_found_by_no_rule_of_another_thing(rule: str, scanner: YaraRules) -> None:
    assert names(scanner, EXAMPLES[rule].hit) == {rule}


def test_a_rule_that_depends_on_the_start_or_name_counts_there_only(scanner: YaraRules) -> None:
    unguarded = [rule for rule, (file, text) in RULES.items() if file == "content.yar" and "filename" in text]

    assert unguarded == []


def test_ordinary_text_and_blank_content_are_not_found(scanner: YaraRules) -> None:
    ordinary = b"A letter about the market in Kisumu: fish, maize, a new roof. Karibu sana!\n" * 500

    assert names(scanner, (ordinary, "/home/a/letter.txt")) == set()
    assert names(scanner, (bytes(100_000), "/home/a/blank.bin")) == set()
    assert names(scanner, (b"", "/home/a/empty")) == set()


def test_rules_of_a_unit_can_replace_the_bundled_ones(tmp_path: Path) -> None:
    (tmp_path / "own.yar").write_text('rule own { strings: $a = "needle" condition: $a and extension == ".txt" }')
    scanner = YaraRules(Options(rules=(tmp_path,), bundled=False))

    assert names(scanner, (b"a needle", "/x/A.TXT")) == {"own"}
    assert names(scanner, (b"a needle", "/x/a.doc")) == set()
    assert list(scanner.inputs()) == [str(tmp_path / "own.yar")]
