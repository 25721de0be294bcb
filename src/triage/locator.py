"""Where a datum came from: evidence → volume → path and metadata address → stream → byte offset or row."""

import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Locator:
    """The address of one fact, exact enough for another examiner with another tool to find it again.

    ``evidence`` is the evidence's label in the case, ``volume`` the volume's id (such as ``p2`` or ``p2/vss1``),
    ``path`` the entry's path, ``address`` the file system's own metadata address (TSK: ``inode-type-id``; see
    `Entry.address`), ``stream`` the name of an alternate data stream or fork. ``part`` names what inside the
    file is meant (``urls`` for a table, ``wal`` …), ``row`` a row id in it, ``offset`` a byte offset in the file.
    """

    evidence: str
    volume: str = ""
    path: str = ""
    address: str = ""
    stream: str = ""
    part: str = ""
    row: int = -1
    offset: int = -1

    def at(self, offset: int) -> "Locator":
        """The same place, at a byte offset."""
        return replace(self, offset=offset)

    def at_row(self, part: str, row: int) -> "Locator":
        """The same place, at row ``row`` of table ``part``."""
        return replace(self, part=part, row=row)

    def to_json(self) -> str:
        """Compact JSON without the parts that do not apply."""
        fields = {k: v for k, v in asdict(self).items() if v not in ("", -1)}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Locator":
        """Inverse of `to_json`."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        """One line for a person: ``laptop.E01 p2 /Users/a/b.db [1234-128-1] urls row 7``.

        >>> str(Locator("disk.E01", "p1", "/a.txt", "36-128-1", offset=512))
        'disk.E01 p1 /a.txt [36-128-1] offset 512'
        """
        words = [self.evidence, self.volume, self.path + (f":{self.stream}" if self.stream else "")]
        words.append(f"[{self.address}]" if self.address else "")
        words.append(self.part)
        words.append(f"row {self.row}" if self.row >= 0 else "")
        words.append(f"offset {self.offset}" if self.offset >= 0 else "")
        return " ".join(word for word in words if word)
