"""Each sample of the fixtures is recognised by its content and gives exactly the entries that its recipe put in."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from recipes import lists

from triage.hashsets.entry import DIGEST_BYTES, SetEntry
from triage.hashsets.importers import open_list

KITE, BOAT, WAVES = lists.NAMES


def entry(
    where: str, name: str, algorithms: str, category: str = "", *, size: bool = False, **more: object
) -> SetEntry:
    digests = tuple((each, lists.digest(name, each)) for each in algorithms.split())
    return SetEntry(where, digests, category, lists.size(name) if size else None, **more)  # type: ignore[arg-type]


def every(where: str, algorithms: str, category: str = "", *, first: int = 1, size: bool = False) -> list[SetEntry]:
    return [entry(f"{where} {at}", name, algorithms, category, size=size) for at, name in enumerate(lists.NAMES, first)]


NSRL = [
    entry("line 2", KITE, "sha1 md5", size=True),
    entry("line 3", KITE, "sha1 md5", size=True),
    entry("line 4", BOAT, "sha1 md5", "M", size=True),
]
OTHER_FILE = f"an alternative digest is of another file ({lists.text(BOAT, 'md5').lower()})"
EXPECTED: dict[str, tuple[str, str, str, str, Sequence[SetEntry]]] = {
    "vics-2.0-media.list": (
        "VICS 2.0 #Media",
        "VICS 2.0 US",
        "",
        "",
        [
            entry("media 1", KITE, "md5 sha1", "1", size=True),
            entry("media 2", BOAT, "md5", size=True),
            entry("media 3", WAVES, "md5"),
            entry("media 4", KITE, "md5", "2"),
            SetEntry("media 5", (), "2", None, ("no digest",)),
        ],
    ),
    "vics-1.3-media.list": (
        "VICS 1.3 #Media",
        "VICS 1.3",
        "",
        "",
        [entry("media 1", KITE, "md5 sha1 photodna", "3", problems=(OTHER_FILE,))],
    ),
    "vics-2.0-cases.list": (
        "VICS 2.0 #Cases",
        "VICS 2.0 UK",
        "",
        "Mfano",
        [entry("media 1", KITE, "md5", "1", size=True), entry("media 2", BOAT, "md5")],
    ),
    "caid-nsrl.list": ("VICS 1.2 #Media", "VICS 1.2", "", "", every("media", "md5 sha1", "8", size=True)),
    "icse.list": (
        "ICSE CSV",
        "ICSE",
        "",
        "INTERPOL ICSE",
        [
            entry("line 2", KITE, "md5 sha1", "Yes"),
            entry("line 3", BOAT, "md5 sha1", "n"),
            entry("line 4", WAVES, "md5"),
        ],
    ),
    "nsrl-rds2.list": ("NSRL RDS 2 text", "NSRL", "", "NIST NSRL", NSRL),
    "nsrl-zip.list": ("NSRL RDS 2 text", "NSRL", "", "NIST NSRL", NSRL),
    "nsrl-rds1.list": ("NSRL RDS 2 text, first layout", "NSRL", "", "NIST NSRL", NSRL[:1]),
    "nsrl-rds3-minimal.list": (
        "NSRL RDS 3 SQLite (minimal)",
        "NSRL",
        "2025.03.1, modern_minimal, 2025-03-01",
        "NIST NSRL",
        [entry("row 1", KITE, "sha256 sha1 md5", size=True), entry("row 3", BOAT, "sha256 sha1 md5", size=True)],
    ),
    "nsrl-rds3-full.list": (
        "NSRL RDS 3 SQLite (full)",
        "NSRL",
        "2025.03.1, 2025-03-01",
        "NIST NSRL",
        every("row", "sha256 sha1 md5", size=True),
    ),
    "tsk-kdb.list": (
        "hash database of The Sleuth Kit (.kdb)",
        "",
        "",
        "",
        [entry("row 1", KITE, "sha256 sha1 md5"), entry("row 2", BOAT, "md5")],
    ),
    "hashkeeper.list": ("HashKeeper", "", "", "", every("line", "md5", first=2, size=True)),
    "encase.list": ("EnCase hash set", "", "Mfano set", "", every("record", "md5")),
    "tsk-index.list": (
        "index of The Sleuth Kit (nsrl)",
        "NSRL",
        "NSRLFile.txt",
        "NIST NSRL",
        [
            entry(f"line {at}", name, "sha1")
            for at, name in enumerate(sorted(lists.NAMES, key=lambda name: lists.text(name, "sha1")), 3)
        ],
    ),
    "ncmec.list": (
        "NCMEC hash sharing XML v2",
        "NCMEC",
        "2025-03-02T10:00:00Z",
        "NCMEC hash sharing",
        [
            entry("image 1", KITE, "md5 sha1 pdq", "A1"),
            entry("video 4", BOAT, "md5"),
            entry("image 3", WAVES, "md5", "B2", withdrawn=True),
            SetEntry(
                "withdrawal of video elsewhere",
                problems=("withdrawn: video elsewhere of member 42, whose digests are not in this file",),
                withdrawn=True,
            ),
        ],
    ),
    "md5sum.list": (
        "lines of digests",
        "",
        "",
        "",
        [
            entry("line 1", KITE, "md5"),
            entry("line 2", BOAT, "sha1"),
            entry("line 3", WAVES, "sha256"),
            entry("line 4", BOAT, "md5"),
            entry("line 5", KITE, "sha256"),
            entry("line 6", KITE, "sha512"),
        ],
    ),
    "hashdeep.list": ("hashdeep 1.0", "", "", "", every("line", "md5 sha256", first=5, size=True)),
    "iped.list": (
        "IPED CSV",
        "",
        "",
        "",
        [entry("line 2", KITE, "md5 sha1 sha256 sha512 ed2k photodna", "alert"), entry("line 3", BOAT, "md5", "known")],
    ),
    "pdq.list": (
        "PDQ CSV",
        "",
        "",
        "",
        [
            entry("line 2", KITE, "pdq"),
            SetEntry("line 3", problems=("PDQ of quality 20: below 50 it is near to very many pictures",)),
        ],
    ),
    "threatexchange-csv.list": (
        "ThreatExchange CSV",
        "",
        "",
        "ThreatExchange",
        [
            entry("line 2", KITE, "md5", "MALICIOUS"),
            entry("line 3", BOAT, "pdq", "UNKNOWN"),
            SetEntry("line 4", (), "MALICIOUS", None, ("an indicator of type 'URI' is no digest that a set can hold",)),
        ],
    ),
    "threatexchange-json.list": (
        "ThreatExchange JSON",
        "",
        "",
        "ThreatExchange",
        [
            entry("descriptor 1", KITE, "md5", "MALICIOUS"),
            entry("descriptor 2", BOAT, "pdq", "media"),
            entry("descriptor 3", BOAT, "sha256", withdrawn=True),
        ],
    ),
    "threatexchange-local.list": (
        "lines of digests",
        "",
        "",
        "",
        [entry("line 1", KITE, "pdq"), entry("line 2", BOAT, "md5")],
    ),
    "x-ways.list": ("lines of sha256 digests", "", "", "", every("line", "sha256", first=2)),
    "plain.list": (
        "lines of digests",
        "",
        "",
        "",
        [entry("line 3", KITE, "md5"), entry("line 4", BOAT, "sha1"), entry("line 5", WAVES, "md5")],
    ),
    "spreadsheet.list": (
        "tab-separated values",
        "",
        "",
        "",
        [entry("line 4", KITE, "md5 sha1", "1", size=True), entry("line 5", BOAT, "sha1")],
    ),
}


def test_every_sample_has_its_expectation() -> None:
    assert set(EXPECTED) == set(lists.COMMITTED) | set(lists.DATABASES)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_gives_exactly_its_entries(name: str, fixtures: Path, tmp_path: Path) -> None:
    path = fixtures / "lists" / name
    if name in lists.DATABASES:
        path = tmp_path / name
        path.write_bytes(lists.DATABASES[name]())
    before = path.read_bytes()
    facts, entries = open_list(path)
    form, scheme, version, provider, expected = EXPECTED[name]

    assert list(entries) == list(expected)
    assert (facts.format, facts.scheme, facts.version, facts.provider) == (form, scheme, version, provider)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted(lists.DATABASES))
def test_nothing_is_written_beside_a_database(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(lists.DATABASES[name]())
    list(open_list(tmp_path / name)[1])

    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", sorted(lists.COMMITTED))
def test_all_values_have_the_length_of_their_algorithm(name: str, fixtures: Path) -> None:
    for each in open_list(fixtures / "lists" / name)[1]:
        assert all(len(value) == DIGEST_BYTES[algorithm] for algorithm, value in each.digests)


def test_a_benign_list_and_one_whose_numbers_are_not_published_say_so(fixtures: Path) -> None:
    benign, _ = open_list(fixtures / "lists" / "caid-nsrl.list")
    british, _ = open_list(fixtures / "lists" / "vics-2.0-cases.list")

    assert "benign" in benign.remarks[0]
    assert "not published" in british.remarks[0]


def test_one_page_of_several_says_so(fixtures: Path) -> None:
    assert "one page of several" in open_list(fixtures / "lists" / "ncmec.list")[0].remarks[0]
