"""What bundled rules state about their reach costs no hit: plain YARA without any of it finds the same."""

import re
from collections.abc import Iterator
from importlib import resources

import pytest
import yara
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from rule_examples import EXAMPLES
from triage_plugins.yara_scan import NAMES, NEEDS, SCOPES, Gate, Texts, YaraRules

from triage.engine.match import TypeMatcher
from triage.plugin import Window
from triage.testing import plugin_file, run_plugin

TEXTS = [
    each.read_text("utf-8") for each in resources.files("triage_rules.yara").iterdir() if each.name.endswith(".yar")
]
RULES = {m[1]: m[0] for text in TEXTS for m in re.finditer(r"^rule (\w+).*?^\}", text, re.MULTILINE | re.DOTALL)}
PLAIN = yara.compile(source="\n".join(TEXTS), externals=NAMES)
META = {rule.identifier: rule.meta for rule in PLAIN}
SCANNER = YaraRules()
HEAD, START = SCOPES["head"], SCOPES["start"]


def externals(path: str, mime: str) -> dict[str, str]:
    name = path.rpartition("/")[2]
    _, dot, extension = name.rpartition(".")
    return {"filename": name, "filepath": path, "extension": (dot + extension).lower(), "filetype": mime}


def plain(content: bytes, path: str) -> set[str]:
    """What YARA finds with all rules over all that their scope names, asked rule by rule."""
    mime = plugin_file(path, content).type
    found = set()
    for scope, limit in (("start", START), ("head", HEAD), (None, None)):
        for match in PLAIN.match(data=content[:limit], externals=externals(path, mime)):
            types = tuple(match.meta.get("types", "").replace(",", " ").split())
            if match.meta.get("scope") == scope and TypeMatcher(types)(mime):
                found.add(match.rule)
    return found


def scanned(content: bytes, path: str, window: int = 16 << 20) -> set[str]:
    return {hit.name for hit in run_plugin(SCANNER, plugin_file(path, content), window)}


def near(content: bytes, path: str) -> Iterator[tuple[bytes, str]]:
    """What a rule could take for its example, and what it could not."""
    folder, _, name = path.rpartition("/")
    for changed in (content, b"\0" + content, b"d" + content, content[1:], content.decode("latin-1").encode("utf-16")):
        for other in (
            path,
            path.upper(),
            path.lower(),
            f"{folder}/x{name}",
            f"{path}.bak",
            "/other",
            f"/x{path}/other",
        ):
            yield changed, other


def far(content: bytes, path: str, borders: tuple[int, ...]) -> Iterator[tuple[bytes, str]]:
    """The content around the borders of what the scopes name, in binary and in text, also after its own beginning."""
    length = len(content)
    for border in borders:
        for at in (border - length, border - length // 2, border):
            if at > 0:
                yield bytes(at) + content, path
                yield (content + b"\n" + b" " * at)[:at] + content, path


@pytest.mark.parametrize("rule", RULES)
def test_plain_yara_finds_the_same_in_examples_and_whatever_resembles_them(rule: str) -> None:
    for sample in (EXAMPLES[rule].hit, EXAMPLES[rule].miss):
        for content, path in near(*sample):
            assert scanned(content, path) == plain(content, path), path
    for content, path in far(*EXAMPLES[rule].hit, (START,) if META[rule].get("scope") == "start" else (START, HEAD)):
        assert scanned(content, path) == plain(content, path), path


@pytest.mark.parametrize("rule", [rule for rule, meta in META.items() if "scope" not in meta and "types" not in meta])
def test_rules_for_all_content_see_it_across_window_borders(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, path = EXAMPLES[rule].hit
    anchored = META[rule].get("needs_start") is not None
    monkeypatch.setattr(YaraRules, "overlap", len(content))
    window = 2 * len(content)

    for at in (0, window - 1, window - len(content) // 2, window, 5 * len(content) + 3):
        whole = b"-" * at + content + b" " * window
        assert (rule in scanned(whole, path, window)) is (not anchored or rule in plain(whole, path))


def counterexamples(rule: str, text: str) -> list[tuple[bytes, str]]:
    """Content and path that ``text``, a rule with ``rule``'s example, matches and that its gate does not admit."""
    rules = yara.compile(source=text, externals=NAMES)
    (meta,) = [each.meta for each in rules]
    gate = Gate([meta])
    wrong = []
    for content, path in mutants(*EXAMPLES[rule].hit, text):
        file = plugin_file(path, content)
        window = Window(file, content, 0, 0, True)
        open_ = gate.by_place(window) or gate.by_text(Texts(gate.texts).among(content))
        if rules.match(data=content, externals=externals(path, "")) and not open_:
            wrong.append((content, path))
    return wrong


def mutants(content: bytes, path: str, text: str) -> Iterator[tuple[bytes, str]]:
    """The example with one byte or one character of its path another, or with a name that the rule's text holds."""
    folder, _, name = path.rpartition("/")
    for at in [at for at, byte in enumerate(content) if byte or at < 64][:300]:
        few = (content[at] ^ 0x20, content[at] ^ 0x81, (content[at] + 1) % 256)
        for byte in range(256) if at < 16 and "needs_start" in text else few:
            yield content[:at] + bytes([byte]) + content[at + 1 :], path
    for at in range(len(path)):
        yield content, path[:at] + path[at].swapcase() + path[at + 1 :]
        yield content, path[:at] + path[at + 1 :]
        yield content, path[: at + 1] + "1" + path[at + 1 :]
    for literal in re.findall(r'file(?:name|path) i?\w+ "([^"]+)"', text):
        for other in (literal, literal.upper(), f"x{literal}", f"{literal}x"):
            yield content, f"{folder}/{other}"
            yield content, f"/a{other}/{name}"
    for address in ("a", "b"):
        yield content.replace(b"\0", address.encode()), path


@pytest.mark.parametrize("rule", [rule for rule, meta in META.items() if set(NEEDS) & set(meta)])
def test_a_rule_matches_nothing_without_what_it_says_that_it_needs(rule: str) -> None:
    assert counterexamples(rule, RULES[rule]) == []


def test_what_a_rule_wrongly_says_that_it_needs_is_noticed() -> None:
    for rule, right, wrong in (
        ("dropbox_state", ", config.dbx", ""),
        ("keepsafe_store", "/.keepsafe/, /.keepsafe2/", "/.keepsafe2/"),
        ("emule_servers", 'needs_name = "server.met"', r'needs_start = "\\xe0|\\x0e\\x02"'),
        ("bitlocker_recovery_key", "needs_wide", "reference_2"),
        ("wireguard_profile", 'needs_text = "[Interface]"', 'needs_text = "Endpoint"'),
        ("luks_volume", r'\\x00"', r'\\x00\\x02"'),
        ("mega_state", 'statecache*"', 'statecache13*"'),
    ):
        text = RULES[rule].replace(right, wrong, 1)
        assert text != RULES[rule]
        assert counterexamples(rule, text), rule


PATTERNS = [
    (rule, pattern, flags)
    for rule, text in RULES.items()
    for pattern, flags in re.findall(r"filename matches /(.+?)(?<!\\)/(i?)", text)
]


@pytest.mark.parametrize(("rule", "pattern", "flags"), PATTERNS)
def test_every_name_that_a_pattern_allows_is_admitted(rule: str, pattern: str, flags: str) -> None:
    content, path = EXAMPLES[rule].hit
    rules = yara.compile(source=RULES[rule], externals=NAMES)
    names = st.from_regex(re.compile(pattern.replace("$", r"\Z"), re.ASCII | (re.IGNORECASE if flags else re.NOFLAG)))

    @settings(max_examples=40, deadline=None, database=None)
    @seed(1)
    @given(names.filter(lambda name: "/" not in name and "\0" not in name and name.isprintable()))
    def admitted(name: str) -> None:
        other = f"{path.rpartition('/')[0]}/{name}"
        if rules.match(data=content, externals=externals(other, "")):
            window = Window(plugin_file(other, content), content, 0, 0, True)
            gate = Gate([META[rule]])
            assert gate.by_place(window) or gate.by_text(Texts(gate.texts).among(content))

    admitted()


LITERAL = re.compile(r"\\(.)|(.)")


@pytest.mark.parametrize("rule", [rule for rule, meta in META.items() if {"needs_text", "needs_wide"} & set(meta)])
def test_a_text_that_a_rule_needs_is_in_a_string_that_it_cannot_do_without(rule: str) -> None:
    body, _, condition = RULES[rule].partition("condition:")
    strings = re.findall(r"^\s+(\$\w+) = [\"/](.*)[\"/]( .*)?$", body, re.MULTILINE)
    texts = [each.strip() for each in str(META[rule].get("needs_text") or META[rule]["needs_wide"]).split(",")]
    holders = {
        name: modifiers.split()
        for name, value, modifiers in strings
        for text in texts
        if text in LITERAL.sub(r"\1\2", value)
    }

    assert " or " not in condition and "not " not in condition
    if "any of them" in condition:
        assert len(holders) == len(strings)
    else:
        assert len(holders) == len(texts) == 1
        assert "all of them" in condition or re.search(rf"{re.escape(next(iter(holders)))}\b", condition)
    for modifiers in holders.values():
        assert ("needs_wide" in META[rule]) is ("wide" in modifiers)
        assert ("needs_text" in META[rule]) is ("wide" not in modifiers or "ascii" in modifiers)
        assert not {"xor", "base64", "base64wide"} & set(modifiers)


def test_every_bundled_rule_says_what_it_needs_or_for_which_types_it_is() -> None:
    assert [rule for rule, meta in META.items() if not set(NEEDS) & set(meta) and "types" not in meta] == []
