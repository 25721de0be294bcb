"""Every plugin that is found keeps the contract: documented, tested, self-contained, and calm on hostile input."""

import ast
import inspect
import json
import random
import sqlite3
import zipfile
from pathlib import Path

import pytest

from triage.engine.discover import Loaded, discover
from triage.errors import EvidenceError, SkipFile, UnsupportedSchema
from triage.locator import Locator
from triage.notices import Outcome
from triage.records import RECORD_TYPES, record_from_json
from triage.testing import examine_file, plugin_file, run_plugin

GOLDEN = Path(__file__).resolve().parent.parent / "plugins"
PLUGINS = discover().loaded
CALM = (SkipFile, UnsupportedSchema, EvidenceError, ValueError)
"""What a plugin may raise; the host makes outcomes and notices of these."""
RANDOM = random.Random(7).randbytes(70_000)

every_plugin = pytest.mark.parametrize("loaded", PLUGINS, ids=lambda loaded: loaded.plugin.id)


def golden(loaded: Loaded) -> list[dict[str, object]]:
    lines = [
        line for path in sorted((GOLDEN / loaded.plugin.id).glob("*.jsonl")) for line in path.read_text().splitlines()
    ]
    return [json.loads(line) for line in lines]


def test_none_is_broken() -> None:
    assert discover().broken == ()
    assert len(PLUGINS) >= 5


def test_order_and_identity_do_not_depend_on_the_run() -> None:
    assert [loaded.plugin for loaded in discover().loaded] == [loaded.plugin for loaded in PLUGINS]


@every_plugin
def test_it_says_what_it_reads_what_it_does_not_and_where_that_is_from(loaded: Loaded) -> None:
    text = inspect.cleandoc(loaded.plugin.__doc__ or "")
    first, _, rest = text.partition("\n")

    assert first.endswith("."), "the first line is a sentence"
    assert "does not cover" in rest.lower()
    assert "References:" in rest


@every_plugin
def test_its_file_is_named_after_its_id(loaded: Loaded) -> None:
    assert Path(inspect.getfile(loaded.plugin)).stem == loaded.plugin.id.replace(".", "_")


@every_plugin
def test_it_imports_the_facade_and_no_other_plugin(loaded: Loaded) -> None:
    tree = ast.parse(Path(inspect.getfile(loaded.plugin)).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {name for name in imported if name.split(".")[0] in {"triage", "triage_plugins"}}

    assert ours == {"triage.api"}


@every_plugin
def test_it_opens_no_file_and_no_network_of_its_own_while_scanning(loaded: Loaded) -> None:
    tree = ast.parse(Path(inspect.getfile(loaded.plugin)).read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    assert not modules & {"socket", "urllib", "http", "subprocess", "os", "sqlite3", "shutil", "tempfile", "requests"}
    assert not called & {"open", "print", "exec", "eval", "__import__"}


@every_plugin
def test_it_has_a_golden_case_and_yields_what_it_says(loaded: Loaded) -> None:
    found = golden(loaded)
    kinds = {record["kind"] for record in found}

    assert found, f"no golden case in tests/plugins/{loaded.plugin.id}"
    assert set(loaded.plugin.yields) <= set(RECORD_TYPES)
    assert kinds == {record_type.kind for record_type in loaded.plugin.yields}


@every_plugin
def test_every_golden_record_says_where_it_is_from(loaded: Loaded) -> None:
    for line in golden(loaded):
        record = record_from_json(str(line.pop("kind")), line)

        assert isinstance(record.source, Locator)
        assert record.source.path


def hostile_database(folder: Path) -> bytes:
    path = folder / "hostile"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    for name in ("visits", "urls", "message"):
        connection.execute(
            f"CREATE VIEW {name} AS SELECT 1 AS id, x'ff' AS url, 'noon' AS visit_time, 1e300 AS transition"
        )
    connection.close()
    return path.read_bytes()


def other_database(folder: Path) -> bytes:
    path = folder / "other"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE letters(id)")
    connection.commit()
    connection.close()
    return path.read_bytes()


def archive(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "a.zip", "w") as out:
        out.writestr("../../x", "y")
    return (folder / "a.zip").read_bytes()


@every_plugin
def test_hostile_input_ends_in_an_outcome(loaded: Loaded, tmp_path: Path) -> None:
    plugin = loaded.plugin()
    path = str(golden(loaded)[0]["source"]["path"])  # type: ignore[index]
    inputs = {
        "empty": b"",
        "one byte": b"\0",
        "zeros": bytes(100_000),
        "ones": b"\xff" * 100_000,
        "random": RANDOM,
        "another database": other_database(tmp_path),
        "a database with views for tables": hostile_database(tmp_path),
        "half a database": hostile_database(tmp_path)[:3000],
        "header of a database": b"SQLite format 3\0" + RANDOM,
        "header of a picture": b"\xff\xd8\xff\xe1\xff\xffExif\0\0MM\0*" + RANDOM,
        "header of a PNG": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + RANDOM,
        "header of an index entry": b"\x02" + bytes(23) + b"\xff\xff\xff\xff" + RANDOM,
        "an archive": archive(tmp_path),
    }
    for name, content in inputs.items():
        try:
            records = run_plugin(plugin, plugin_file(path, content, {Path(path).name + "-wal": RANDOM}))
        except CALM as reason:
            assert str(reason), name
        else:
            assert {type(record) for record in records} <= set(loaded.plugin.yields), name


@every_plugin
@pytest.mark.parametrize("content", [b"", b"\0", RANDOM, b"SQLite format 3\0" + RANDOM, b"\xff\xd8\xff\xe1" + RANDOM])
def test_the_host_makes_exactly_one_outcome_of_it(loaded: Loaded, content: bytes) -> None:
    path = str(golden(loaded)[0]["source"]["path"])  # type: ignore[index]
    result = examine_file(loaded.plugin(), plugin_file(path, content))

    assert result.outcomes in {outcome.value for outcome in Outcome}
    assert result.outcomes not in {Outcome.FAILED.value, Outcome.SKIPPED.value} or result.notices
    assert (result.outcomes == Outcome.FOUND.value) is bool(result.found)
