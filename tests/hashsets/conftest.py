"""Sets built in memory from entries, without a list's format between, and both ways of looking up in them."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from triage.hashsets import search
from triage.hashsets.build import DEFAULTS, BuildOptions, write_set
from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers import ListOptions

MakeSet = Callable[..., bytes]


@pytest.fixture(scope="session")
def make_set(tmp_path_factory: pytest.TempPathFactory) -> MakeSet:
    """Bytes of a set that holds entries: ``make_set(entries, more_entries, …, options=…)``, a list each."""
    folder = tmp_path_factory.mktemp("lists")

    def make(*lists: Iterable[SetEntry], options: BuildOptions = DEFAULTS, facts: tuple[ListFacts, ...] = ()) -> bytes:
        paths = [folder / f"list{number}" for number in range(len(lists))]
        for path in paths:
            path.write_bytes(b"the entries come from elsewhere\n")
        said = facts or (ListFacts("made up"),) * len(lists)
        by_path = {path: (fact, entries) for path, fact, entries in zip(paths, said, lists, strict=True)}

        def open_list(path: Path, _: ListOptions) -> tuple[ListFacts, Iterator[SetEntry]]:
            return by_path[path][0], iter(by_path[path][1])

        stream = io.BytesIO()
        with mock.patch("triage.hashsets.build.open_in_bulk", open_list):
            write_set(paths, stream, options, options.name or "made", folder)
        return stream.getvalue()

    return make


@pytest.fixture(scope="module", params=["compiled", "python"])
def look_ups(request: pytest.FixtureRequest) -> Iterator[str]:
    """All sets that a module opens are looked up in by the kernel, and then by Python."""
    way = str(request.param)
    with pytest.MonkeyPatch.context() as patch:
        if way == "python":
            patch.setattr(search, "_search", None)
        elif search.kernel() != search.COMPILED and "CI" not in os.environ:
            pytest.skip(f"no compiled kernel: {search.kernel()}")
        assert (search.kernel() == search.COMPILED) == (way == "compiled")
        yield way
