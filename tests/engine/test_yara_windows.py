"""YARA sees all of a file, however large: across window borders and at the very end. Nothing is skipped by size."""

from pathlib import Path

import pytest

from triage.case.store import CaseStore
from triage.engine.discover import discover
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.errors import COMPLETE

RULES = """
rule across_a_border { strings: $a = "here lies a string across a window border" condition: $a }
rule at_the_end { strings: $a = "the last words of a large file" condition: $a }
rule nowhere { strings: $a = "these words are in no file at all" condition: $a }
"""
SIZE = 200 << 20


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of 200 MiB: text all over, one string on each side of a border, one at the end."""
    folder = tmp_path_factory.mktemp("large")
    border = 2 * profile("triage").window
    first, last = b"here lies a string across a window border", b"the last words of a large file"
    block = b"all work and no play makes a long file\n" * 26_000
    with (folder / "large.bin").open("wb") as out:
        while out.tell() < SIZE:
            out.write(block)
        out.truncate(SIZE)
        out.seek(border - 20)
        out.write(first)
        out.seek(SIZE - len(last))
        out.write(last)
    return folder


def test_strings_across_a_border_and_at_the_end_of_a_large_file_are_found(large: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yar").write_text(RULES)
    plugin = next(loaded.plugin for loaded in discover().loaded if loaded.plugin.id == "yara.scan")
    options = {"yara.scan": plugin.Options(rules=(tmp_path / "own.yar",))}
    summary = scan(ScanRequest((large,), tmp_path / "case", profile("triage"), plugin_options=options, workers=1))

    with CaseStore.open(tmp_path / "case") as store:
        found = {h.hit.name: h.hit.source.offset for h in store.hits()}
    assert found == {"across_a_border": 2 * profile("triage").window - 20, "at_the_end": SIZE - 30}
    assert summary.exit_code == COMPLETE
