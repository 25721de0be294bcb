"""Plugins are found without registration, listed as broken with a reason where they cannot be used, and ordered."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.engine.discover import discover
from triage.errors import UsageError

Folder = Callable[..., Path]
SCANNER = '''
from triage.api import Hit, Scanner

class {name}(Scanner):
    """Looks at nothing."""

    id = "{id}"
    yields = (Hit,)
    after = {after}

    def scan(self, file):
        return ()
'''


def scanner(name: str, after: tuple[str, ...] = ()) -> str:
    return SCANNER.format(name="Probe", id=name, after=after)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    def fill(**files: str) -> Path:
        for stem, content in files.items():
            (tmp_path / f"{stem}.py").write_text(content)
        return tmp_path

    return fill


def reasons(*folders: Path) -> str:
    return "\n".join(f"{broken.origin} → {broken.error}" for broken in discover(folders).broken)


def test_bundled_plugins_come_through_the_entry_point() -> None:
    found = {loaded.plugin.id: loaded for loaded in discover().loaded}

    assert found["hash.known"].origin == "bundled"
    assert found["hash.known"].module == "triage_plugins.hash_known"
    assert (
        found["hash.known"].sha256
        == hashlib.sha256(Path(sys.modules["triage_plugins.hash_known"].__file__ or "").read_bytes()).hexdigest()
    )
    assert discover().broken == ()


def test_a_dropped_in_file_is_loaded_under_its_own_module_name(folder: Folder) -> None:
    where = folder(json=scanner("a.b"), x_json=scanner("x.json"), _helper="raise OSError")
    loaded = {each.plugin.id: each for each in discover([where]).loaded}["x.json"]

    assert loaded.module.startswith("triage_dropin_")
    assert loaded.module.endswith("_x_json")
    assert loaded.origin == f"file {where / 'x_json.py'}"
    assert loaded.sha256 == hashlib.sha256((where / "x_json.py").read_bytes()).hexdigest()
    assert "x_json" not in sys.modules
    assert not list(where.glob("**/*.pyc"))
    assert "_helper" not in reasons(where)


def test_the_same_file_gives_the_same_class_again_and_a_changed_file_another(folder: Folder) -> None:
    def probe(where: Path) -> object:
        return next(each.plugin for each in discover([where]).loaded if each.plugin.id == "x.y")

    where = folder(x_y=scanner("x.y"))
    first, second = probe(where), probe(where)
    folder(x_y=scanner("x.y") + "\n# changed\n")

    assert first is second
    assert probe(where) is not first


@pytest.mark.parametrize(
    ("stem", "content", "reason"),
    [
        ("x_syntax", "def (", "SyntaxError"),
        ("x_import", "import no_such_module_anywhere", "ModuleNotFoundError"),
        ("x_exit", "raise SystemExit(3)", "SystemExit: 3"),
        ("x_zero", "1 / 0", "ZeroDivisionError"),
        ("x_none", "from triage.api import Scanner", "exactly one plugin class"),
        ("x_two", scanner("x.two") + scanner("x.two").replace("Probe", "Other"), "found: Probe, Other"),
        ("x_name", scanner("x.other"), "must be called x_other.py"),
        ("x_id", scanner("X Id"), "id must be dotted"),
        ("x_noid", scanner("x.noid").replace('id = "x.noid"', ""), "id must be dotted"),
        ("x_doc", scanner("x.doc").replace('"""Looks at nothing."""', ""), "no docstring"),
        ("x_yields", scanner("x.yields").replace("(Hit,)", "(int,)"), "yields must be"),
        ("x_noyields", scanner("x.noyields").replace("yields = (Hit,)", ""), "yields must be"),
        ("x_paths", scanner("x.paths").replace("yields", "paths = ('**/{a',)\n    yields"), "unbalanced braces"),
        ("x_path", scanner("x.path").replace("yields", "paths = '**/a'\n    yields"), "paths must be a tuple of text"),
        ("x_opt", scanner("x.opt").replace("yields", "Options = dict\n    yields"), "Options must be a dataclass"),
        ("x_after", scanner("x.after", ("no.such",)), "no.such, and there is no such plugin"),
        ("hash_known", scanner("hash.known"), "the id hash.known is taken by bundled"),
    ],
)
def test_what_breaks_the_contract_is_listed_with_the_reason(
    folder: Folder, stem: str, content: str, reason: str
) -> None:
    where = folder(**{stem: content})
    text = reasons(where)

    assert reason in text
    assert stem in text or stem.replace("_", ".") in text
    assert {"hash.known", "yara.scan"} <= {each.plugin.id for each in discover([where]).loaded}


def test_plugins_run_by_id_but_after_those_they_name(folder: Folder) -> None:
    where = folder(
        x_a=scanner("x.a", ("x.c",)), x_b=scanner("x.b"), x_c=scanner("x.c"), x_d=scanner("x.d", ("x.a", "x.b"))
    )
    ids = [each.plugin.id for each in discover([where]).loaded if each.plugin.id.startswith("x.")]

    assert ids == ["x.b", "x.c", "x.a", "x.d"]


def test_a_circle_breaks_those_in_it_and_no_others(folder: Folder) -> None:
    where = folder(x_a=scanner("x.a", ("x.b",)), x_b=scanner("x.b", ("x.a",)), x_c=scanner("x.c"))
    ids = [each.plugin.id for each in discover([where]).loaded]

    assert "x.c" in ids
    assert not {"x.a", "x.b"} & set(ids)
    assert reasons(where).count("cannot come before it") == 2


def test_a_class_that_is_only_imported_is_not_taken_for_the_modules_own(folder: Folder) -> None:
    where = folder(x_a="from triage_plugins.hash_known import KnownFiles\n" + scanner("x.a"))

    assert "x.a" in {each.plugin.id for each in discover([where]).loaded}


def test_a_missing_folder_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        discover([tmp_path / "nowhere"])
