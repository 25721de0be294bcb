"""Files beside a file that a plugin asks for, such as the write-ahead log of a database."""

from collections.abc import Iterable
from typing import Final

from triage.case.rows import EntryRow
from triage.case.store import CaseStore
from triage.engine.match import PathTable
from triage.plugin import Parser, Plugin, SqliteParser

_EVERYWHERE: Final = ("**",)


class Companions:
    """What the loaded plugins want to see beside which files."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        wanting = [p for p in plugins if isinstance(p, Parser | SqliteParser) and p.companions]
        self._patterns = [plugin.companions for plugin in wanting]
        self._wanting = PathTable([plugin.paths or _EVERYWHERE for plugin in wanting])

    def wants(self, path: str) -> bool:
        """Whether any plugin wants other files beside the file at ``path``."""
        return bool(self._wanting(path))

    def beside(self, store: CaseStore, row: EntryRow) -> tuple[tuple[str, EntryRow], ...]:
        """The files that are wanted beside the entry in ``row`` and exist, by name."""
        _, evidence, volume, path = row[:4]
        folder, _, name = path.rpartition("/")
        found: dict[str, EntryRow] = {}
        patterns = [pattern for number in sorted(self._wanting(path)) for pattern in self._patterns[number]]
        for wanted in dict.fromkeys(pattern.replace("{name}", name) for pattern in patterns):
            # A live companion before a deleted one of the same name.
            rows = sorted(store.find_rows(evidence, volume, f"{folder}/{wanted}"), key=lambda r: (r[9] & 1, r[0]))
            if rows:
                found[wanted] = rows[0]
        return tuple(found.items())
