"""Whatever a list holds, the end is entries, problems or one clear error: no other exception, and never no end."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recipes import lists

from triage.hashsets.entry import DIGEST_BYTES
from triage.hashsets.importers import ListOptions, open_list

MAKERS = lists.COMMITTED | lists.DATABASES
STARTS = (
    b"",
    b"HASH\r\n\xff\0",
    b"PK\x03\x04",
    b"SQLite format 3\0",
    b"%%%% HASHDEEP-1.0\n",
    b"0" * 41 + b"|nsrl\n",
    b"md5,sha1,pdq,photodna,category,size,type\n",
    b'{"@odata.context":"http://x/ProjectVic/DataModels/2.0.xml/US/$metadata#Media","value":[',
    b'[{"type":"HASH_MD5","indicator":',
    b'<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2"><images>',
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survive(path: Path, content: bytes, hex64: str = "sha256") -> int:
    path.write_bytes(content)
    count = 0
    try:
        for entry in open_list(path, ListOptions(hex64))[1]:
            count += 1
            assert entry.where
            assert entry.digests or entry.problems
            assert all(len(value) == DIGEST_BYTES[name] for name, value in entry.digests)
            assert entry.size is None or 0 <= entry.size < 1 << 63
    except ValueError as error:
        assert str(error)
        assert len(str(error)) < 2000
    return count


@quick
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=600), hex64=st.sampled_from(("", "sha256", "pdq")))
def test_random_bytes_behind_any_beginning(tmp_path: Path, start: bytes, rest: bytes, hex64: str) -> None:
    survive(tmp_path / "list", start + rest, hex64)


@quick
@given(
    text=st.text(alphabet='0123456789abcdefABCDEF,;|\t"\n\r #%{}[]:<>=()x\0', max_size=600),
    start=st.sampled_from(STARTS),
)
def test_random_text_of_what_lists_are_made_of(tmp_path: Path, text: str, start: bytes) -> None:
    survive(tmp_path / "list", start + text.encode())


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_sample_that_is_cut_off_or_changed(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    content = MAKERS[name]()
    whole = survive(tmp_path / "list", content)
    for _ in range(12):
        assert survive(tmp_path / "list", content[: chance.randrange(len(content))]) <= whole + 2
    for _ in range(25):
        changed = bytearray(content)
        for _ in range(chance.randrange(1, 6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        survive(tmp_path / "list", bytes(changed))
