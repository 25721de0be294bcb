"""A known file that an application names by digest is a reference hit, in words that claim no more."""

import hashlib
from pathlib import Path

import pytest
from triage_plugins.hash_reference import Options, ReferencedKnownFiles

from triage.api import Grade, Hit, ReferencedFile
from triage.engine.host import PluginHost
from triage.engine.hostfile import Subject
from triage.engine.profile import profile
from triage.evidence.entry import Entry
from triage.evidence.source import MemorySource
from triage.locator import Locator
from triage.notices import Outcome
from triage.plugin import File, Parser
from triage.records import Record
from triage.testing import check_golden, run_on_records
from triage.times import unix_ms

DIGEST = hashlib.sha256(b"a neutral picture").hexdigest()
HASH_OF_TORRENT = hashlib.sha1(b"a torrent").hexdigest()


def reference(algorithm: str = "sha256", digest: str = DIGEST) -> ReferencedFile:
    return ReferencedFile(
        source=Locator("phone", "", "/data/msgstore.db", "5", part="message_media", row=7),
        application="WhatsApp",
        algorithm=algorithm,
        digest=digest,
        name="IMG-20260101-WA0001.jpg",
        size=17,
        recorded=unix_ms(1_767_225_600_000),
        state="received",
        conversation="Football",
        sender="254700000001@s.whatsapp.net",
    )


def known(folder: Path, text: str) -> ReferencedKnownFiles:
    path = folder / "unit.csv"
    path.write_text(text)
    return ReferencedKnownFiles(Options((path,)))


def test_hits_are_as_expected(tmp_path: Path) -> None:
    plugin = known(tmp_path, f"sha256,category,size\n{DIGEST},1,18\n")

    check_golden(Path(__file__).parent / "expected.jsonl", run_on_records(plugin, [reference()]))


def test_the_words_are_those_of_the_data_and_the_grade_says_reference(tmp_path: Path) -> None:
    (hit,) = run_on_records(known(tmp_path, f"sha256\n{DIGEST}\n"), [reference()])

    assert isinstance(hit, Hit)
    assert hit.grade is Grade.REFERENCE
    assert "the data of WhatsApp records" in hit.detail
    assert {"Football", "254700000001@s.whatsapp.net", "2026-01-01T00:00:00.000Z"} <= {
        word.split(" ", 1)[1] for word in hit.detail.split("; ") if " " in word
    }


def test_an_info_hash_is_never_called_a_file(tmp_path: Path) -> None:
    (hit,) = run_on_records(known(tmp_path, f"btih\n{HASH_OF_TORRENT}\n"), [reference("btih", HASH_OF_TORRENT)])

    assert isinstance(hit, Hit)
    assert "that of a torrent and not of a file" in hit.detail


def test_an_algorithm_is_only_compared_with_its_own(tmp_path: Path) -> None:
    plugin = known(tmp_path, f"sha1\n{HASH_OF_TORRENT}\n")

    assert run_on_records(plugin, [reference("btih", HASH_OF_TORRENT)]) == []


class Names(Parser):
    """Yields one reference for each file. It does not cover anything else. References: none."""

    id = "zz.names"
    yields = (ReferencedFile,)

    def parse(self, file: File):
        yield reference()


@pytest.mark.parametrize("named", [True, False])
def test_the_host_shows_it_what_others_found_whatever_their_order(tmp_path: Path, named: bool) -> None:
    plugins = [known(tmp_path, f"sha256\n{DIGEST}\n"), *([Names()] if named else [])]
    host = PluginHost(plugins, profile("triage"), lambda _size, _step: None)
    subject = Subject(1, Entry("/a", "r", "5", 1), lambda: Locator("phone"), lambda: MemorySource(b"x"))

    result = host.examine(subject, {})
    hits: list[Record] = [found.record for found in result.found if isinstance(found.record, Hit)]

    assert len(hits) == named
    assert result.outcomes[0] == (Outcome.FOUND if named else Outcome.NOT_APPLICABLE).value
