import mmap
from collections.abc import Callable, Iterable, Mapping

from triage.hashsets.labels import Label
from triage.hashsets.match import HashMatch
from triage.hashsets.search import Search, Step

class Column:
    def __new__(
        cls,
        data: mmap.mmap | bytes,
        match: type[HashMatch],
        name: str,
        role: str,
        algorithm: str,
        scheme: str,
        says: Callable[[int], Label],
        *,
        width: int,
        rows: int,
        bits: int,
        drop: int,
        keys: int,
        table: int,
        labels: int,
        label_width: int,
        label: int,
        sizes: int,
        size_width: int,
    ) -> Column: ...
    def row(self, digest: bytes, /) -> int: ...
    def rows(self, digests: Iterable[bytes], /) -> bytearray: ...
    def find(self, digest: bytes, /) -> HashMatch | None: ...
    def find_text(self, digest: str, /) -> HashMatch | None: ...
    def find_many(self, digests: Iterable[bytes], /) -> list[HashMatch | None]: ...

class Finder:
    def __new__(
        cls,
        column: type[Column],
        columns: dict[str, Search],
        exact: tuple[Step, ...],
    ) -> Finder: ...
    def find(self, digests: Mapping[str, str], /) -> HashMatch | None: ...
    def find_value(self, algorithm: str, value: bytes, /) -> HashMatch | None: ...
