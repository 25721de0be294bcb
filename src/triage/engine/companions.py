"""Files beside a file that a plugin asks for, such as the write-ahead log of a database."""

from collections.abc import Iterable

from triage.case.rows import EntryRow
from triage.case.store import CaseStore
from triage.engine.match import PathMatcher
from triage.plugin import Parser, Plugin, SqliteParser


class Companions:
    """What the loaded plugins want to see beside which files."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._wanted = [
            (PathMatcher(plugin.paths), plugin.companions)
            for plugin in plugins
            if isinstance(plugin, Parser | SqliteParser) and plugin.companions
        ]

    def wants(self, path: str) -> bool:
        """Whether any plugin wants other files beside the file at ``path``."""
        return any(matches(path) for matches, _ in self._wanted)

    def beside(self, store: CaseStore, row: EntryRow) -> tuple[tuple[str, EntryRow], ...]:
        """The files that are wanted beside the entry in ``row`` and exist, by name."""
        _, evidence, volume, path = row[:4]
        folder, _, name = path.rpartition("/")
        found: dict[str, EntryRow] = {}
        for matches, patterns in self._wanted:
            if not matches(path):
                continue
            for wanted in dict.fromkeys(pattern.replace("{name}", name) for pattern in patterns):
                # A live companion before a deleted one of the same name.
                rows = sorted(store.find_rows(evidence, volume, f"{folder}/{wanted}"), key=lambda r: (r[9] & 1, r[0]))
                if rows:
                    found[wanted] = rows[0]
        return tuple(found.items())
