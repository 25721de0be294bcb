"""Lines that are taken in many at once say what they say one by one."""

import hashlib
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets.build import build_set
from triage.hashsets.entry import PlainEntries
from triage.hashsets.importers import ListOptions, lines, open_in_bulk, open_list, sample

MD5, SHA1, SHA256 = (hashlib.new(name, b"x").hexdigest() for name in ("md5", "sha1", "sha256"))
some_lines = st.lists(
    st.sampled_from(
        [MD5, MD5.upper(), SHA1, SHA1, SHA1, SHA256, f"{MD5}  name", f" {SHA1}", f"{SHA1[:-1]}x", SHA1[:-1], SHA1[:-2],
         f"{SHA1} ", f"{SHA1}\r", "", "# none", "SHA-1", "ed2k", f"{MD5[:16]} {MD5[17:]}", "ünï"]
    ),
    max_size=30,
)  # fmt: skip
runs = st.lists(st.builds(lambda line, count: [line] * count, st.sampled_from([MD5, SHA1, SHA256]), st.integers(1, 40)))


def entries(path: Path, hex64: str) -> object:
    try:
        return list(open_list(path, ListOptions(hex64))[1])
    except ValueError as error:
        return str(error)


@settings(deadline=None, max_examples=300)
@given(
    texts=st.tuples(some_lines, runs, some_lines).map(lambda parts: [*parts[0], *chain(*parts[1]), *parts[2]]),
    end=st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    last=st.booleans(),
    block=st.integers(1, 900),
    hex64=st.sampled_from(["", "sha256", "pdq"]),
)
def test_every_text_gives_the_same_entries_in_both_ways(tmp_path_factory, texts, end, last, block, hex64):
    path = tmp_path_factory.mktemp("bulk") / "list"
    path.write_bytes((end.join(texts) + end * last).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "_BLOCK", block)
        many = entries(path, hex64)
        patch.setattr(lines, "_plain_entries", lambda *_: None)
        single = entries(path, hex64)

    assert many == single


def test_a_plain_list_is_taken_in_bulk_and_gives_the_same_set(tmp_path, monkeypatch):
    path = tmp_path / "list.txt"
    digests = [hashlib.sha1(b"%d" % (number % 30_000)).hexdigest() for number in range(40_000)]
    path.write_text("\n".join(["# a list", *digests[:20_000], f"{digests[0]}  name", *digests[20_000:]]) + "\n")
    bulk = sum(isinstance(each, PlainEntries) for each in open_in_bulk(path)[1])
    facts = build_set([path], tmp_path / "unit.hset")
    many = (tmp_path / "unit.hset").read_bytes()
    monkeypatch.setattr(lines, "_plain_entries", lambda *_: None)
    build_set([path], tmp_path / "unit.hset")

    assert bulk >= 3
    assert (facts.counts, facts.repeated, facts.sources[0].entries) == ({"sha1": 30_000}, 10_001, 40_001)
    assert (tmp_path / "unit.hset").read_bytes() == many
