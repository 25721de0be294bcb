"""The Sleuth Kit finds in its index of a list what the importer reads from the list, and no more."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from recipes import lists

from triage.hashsets.importers import open_list


def values(path: Path, algorithm: str) -> set[bytes]:
    return {value for each in open_list(path)[1] for name, value in each.digests if name == algorithm}


@pytest.mark.parametrize(
    ("sample", "kind", "algorithm"),
    [
        ("encase.list", "encase", "md5"),
        ("hashkeeper.list", "hk", "md5"),
        ("nsrl-rds2.list", "nsrl-md5", "md5"),
        ("nsrl-rds2.list", "nsrl-sha1", "sha1"),
    ],
)
def test_a_list_and_hfinds_index_of_it_hold_the_same(
    sample: str, kind: str, algorithm: str, fixtures: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    path = tmp_path / "list"
    path.write_bytes((fixtures / "lists" / sample).read_bytes())
    subprocess.run([tool("hfind"), "-i", kind, str(path)], check=True, capture_output=True)
    index = tmp_path / f"list-{algorithm}.idx"

    assert values(index, algorithm) == values(path, algorithm)
    assert open_list(index)[0].format == f"index of The Sleuth Kit ({kind.partition('-')[0]})"
    for value in values(path, algorithm):
        asked = subprocess.run([tool("hfind"), "-q", str(path), value.hex()], capture_output=True, text=True)
        assert asked.stdout.strip() == "1"
    absent = hashlib.new(algorithm, b"absent").hexdigest()
    asked = subprocess.run([tool("hfind"), "-q", str(path), absent], capture_output=True, text=True)
    assert asked.stdout.strip() == "0"


def test_a_list_of_md5sum_and_hfinds_index_of_it_hold_the_same(tmp_path: Path, tool: Callable[[str], str]) -> None:
    path = tmp_path / "list"
    path.write_text("".join(f"{lists.text(name, 'md5').lower()}  {name}\n" for name in lists.NAMES))
    subprocess.run([tool("hfind"), "-i", "md5sum", str(path)], check=True, capture_output=True)

    assert (
        values(tmp_path / "list-md5.idx", "md5") == values(path, "md5") == {lists.digest(n, "md5") for n in lists.NAMES}
    )


def test_a_database_that_hfind_made_is_read(tmp_path: Path, tool: Callable[[str], str]) -> None:
    path = tmp_path / "made.kdb"
    subprocess.run([tool("hfind"), "-c", str(path)], check=True, capture_output=True)
    for name in lists.NAMES:
        subprocess.run(
            [tool("hfind"), "-a", str(path), lists.text(name, "md5").lower()], check=True, capture_output=True
        )

    assert values(path, "md5") == {lists.digest(name, "md5") for name in lists.NAMES}
    assert open_list(path)[0].format.endswith("(.kdb)")
