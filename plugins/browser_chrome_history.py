"""History of Chrome and its relatives."""

from typing import Final

from triage.api import Absent, Row, SqliteParser, Visit, number, text, webkit_us

BROWSERS: Final = (
    ("edge", "Edge"),
    ("emmx", "Edge"),
    ("brave", "Brave"),
    ("opera", "Opera"),
    ("vivaldi", "Vivaldi"),
    ("chromium", "Chromium"),
    ("chrome", "Chrome"),
)
"""Words in a path and the browser that they name; the first that fits."""

CORE_TRANSITIONS: Final = (
    "link",
    "typed",
    "auto bookmark",
    "auto subframe",
    "manual subframe",
    "generated",
    "auto toplevel",
    "form submit",
    "reload",
    "keyword",
    "keyword generated",
)


class ChromeHistory(SqliteParser):
    """Visits in the History database of Chrome, Chromium, Edge, Brave, Opera and Vivaldi.

    Does not cover downloads, search terms, deleted rows outside the write-ahead log, and history synced from other
    devices as such (its visits appear like local ones).

    References: https://chromium.googlesource.com/chromium/src/+/main/components/history/core/browser/visit_database.cc,
    https://chromium.googlesource.com/chromium/src/+/main/ui/base/page_transition_types.h
    """

    id = "browser.chrome_history"
    yields = (Visit,)
    paths = (
        "**/AppData/Local/{Google/Chrome*,Chromium,Microsoft/Edge*,BraveSoftware/*,Vivaldi}/User Data/**/History",
        "**/AppData/Roaming/Opera Software/**/History",
        "**/Library/Application Support/{Google/Chrome*,Chromium,Microsoft Edge*,BraveSoftware/*}/**/History",
        "**/Library/Application Support/{Vivaldi,com.operasoftware.Opera*}/**/History",
        "**/.config/{google-chrome*,chromium*,microsoft-edge*,BraveSoftware/*,vivaldi*,opera*}/**/History",
        "**/{snap,.var/app}/*{chrom,brave,edge,opera,vivaldi}*/**/History",
        "**/{com.android.chrome,com.chrome.*,org.chromium.chrome,com.microsoft.emmx*}/app_*/**/History",
        "**/{com.brave.browser*,com.opera.*,com.vivaldi.browser*}/app_*/**/History",
    )
    table = "visits"
    row_id = "visit_id"
    query = """
        SELECT visits.id AS visit_id, visits.visit_time AS visit_time, visits.transition AS transition,
               urls.url AS url, urls.title AS title, urls.visit_count AS visit_count
        FROM visits LEFT JOIN urls ON urls.id = visits.url
        ORDER BY visits.id
    """

    def record(self, row: Row) -> Visit:
        """One visit with its address."""
        return Visit(
            source=row.locator,
            browser=_browser(row.locator.path),
            url=text(row["url"]),
            title=text(row["title"]),
            visited=webkit_us(row["visit_time"]),
            transition=_transition(number(row["transition"])),
            visit_count=number(row["visit_count"]),
        )


def _browser(path: str) -> str:
    lower = path.lower()
    return next((name for word, name in BROWSERS if word in lower), "Chromium family")


def _transition(stored: int | Absent) -> str | Absent:
    if isinstance(stored, Absent):
        return stored
    core = stored & 0xFF  # the other bits qualify it
    return CORE_TRANSITIONS[core] if core < len(CORE_TRANSITIONS) else f"type {core}"
