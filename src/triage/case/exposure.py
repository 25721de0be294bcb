"""What somebody has to look at, and what sets of harmless files have taken out of that.

Counted are different contents, for nobody has to see the same picture twice.
"""

from typing import Final, NamedTuple

from triage.case.reader import CaseReader
from triage.records import EXCLUDE, Grade

_MEDIA: Final = "(c.type LIKE 'image/%' OR c.type LIKE 'video/%')"
_CONTENT: Final = "coalesce(c.sha256, c.sha1, c.md5, c.entry)"
_TOTAL: Final = f"SELECT count(*), count(DISTINCT {_CONTENT}) FROM content c WHERE {_MEDIA}"  # noqa: S608 - constants
# A content that another set says something else of stays in.
_EXCLUDED: Final = f"""
    FROM record r JOIN content c ON c.entry = r.entry
    WHERE r.kind = 'hit' AND r.grade = '{Grade.EXACT.value}' AND json_extract(r.body, '$.disposition') = '{EXCLUDE}'
      AND {_MEDIA} AND NOT EXISTS (
        SELECT 1 FROM record o WHERE o.entry = r.entry AND o.kind = 'hit'
          AND json_extract(o.body, '$.disposition') != '{EXCLUDE}')"""  # noqa: S608
_BY_SET: Final = f"""SELECT json_extract(r.body, '$.name') AS name, count(DISTINCT {_CONTENT}) {_EXCLUDED}
                     GROUP BY name ORDER BY name"""


class Exposure(NamedTuple):
    """Pictures and videos of a case.

    ``files`` is their number, ``distinct`` that of different contents, ``excluded`` how many of these are in sets of
    the role exclude (``by_set``: name and number; a content may be in several) and in no other that says otherwise.
    """

    files: int
    distinct: int
    excluded: int
    by_set: tuple[tuple[str, int], ...]

    @property
    def left(self) -> int:
        """Different contents that remain to be looked at."""
        return self.distinct - self.excluded


def exposure(store: CaseReader) -> Exposure:
    """Count pictures and videos by content, and what sets have taken out."""
    files, distinct = next(iter(store.rows(_TOTAL)))
    excluded = next(iter(store.rows(f"SELECT count(DISTINCT {_CONTENT}) {_EXCLUDED}")))[0]
    return Exposure(files, distinct, excluded, tuple((row[0], row[1]) for row in store.rows(_BY_SET)))
