"""A small case, filled by hand: volumes, hits of every grade, hostile names, doubts, records with and without times."""

from pathlib import Path

from triage.absent import Absent
from triage.case import custody
from triage.case.rows import FileResult, Found, PlannedEntry, VolumeRow
from triage.case.store import CaseStore
from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType, Extent
from triage.locator import Locator
from triage.notices import NoticeKind, notice
from triage.records import Grade, Hit, MediaMetadata, RecycledFile, Visit
from triage.times import SECOND, filetime, local_text, webkit_us

LABEL = "laptop.E01"
T = 1_714_558_830 * SECOND  # 2024-05-01T10:20:30Z
PLUGINS = ("hash.known", "browser.chromium", "media.exif", "yara.scan")
LONG_NAME = "x" * 4096

HOSTILE_PATHS = (
    "/Users/a/<script>alert(1)</script>.jpg",
    "/Users/a/\u202egpj.exe",
    "/Users/a/new\nline\x1b[31mred.jpg",
    '/Users/a/=cmd|"calc"!A1.csv',
    "/Users/a/a|b.txt",
    f"/Users/a/{LONG_NAME}.jpg",
)
MANIFEST = {
    "suite": {"name": "forensic-triage", "version": "0.1.0"},
    "platform": {"python": "3.11.9", "system": "Linux-6.1-x86_64"},
    "libraries": {"pytsk3": "20250801", "yara-python": "4.5.1"},
    "plugins": [
        {"id": plugin, "origin": "bundled", "module": f"triage_plugins.{plugin.replace('.', '_')}", "sha256": "ab" * 32}
        for plugin in PLUGINS
    ],
    "broken plugins": [{"origin": "file /cases/old.py", "error": "SyntaxError: invalid syntax"}],
    "inputs": {"hash.known": {"/sets/known.vics.json": "cd" * 32}, "yara.scan": {"rules/yara/test.yar": "ef" * 32}},
    "options": {"profile": {"name": "triage"}, "time zone of wall-clock times": ""},
    "operator": "J. Examiner",
}


def times(step: int) -> EntryTimes:
    """Four different times, ``step`` minutes after the sample's moment."""
    base = T + step * 60 * SECOND
    return EntryTimes(base, base + SECOND, base + 2 * SECOND, base - 86_400 * SECOND)


def planned(
    path: str, number: int, size: int = 4096, flags: int = 0, volume: str = "p2", kind: str = EntryType.FILE
) -> PlannedEntry:
    """An entry with all that a file system may say about it."""
    wanted = kind == EntryType.FILE and size > 0 and not flags & EntryFlag.NO_CONTENT
    entry = Entry(
        path=path,
        type=kind,
        address=f"{number}-128-1" if volume == "p2" else str(number),
        size=size,
        flags=flags,
        times=times(number),
        extents=(Extent(number * 4096, size),) if wanted else None,
        name_type=kind,
        mode=0o777,
        uid=48,
        name_times=times(number - 7) if volume == "p2" else None,
    )
    return PlannedEntry(volume, entry, 1 if path.endswith(".jpg") else 3, number * 4096 if wanted else -1, wanted)


def entries() -> list[PlannedEntry]:
    """The NTFS volume's entries, in the order of a walk."""
    return [
        planned("/", 5, 0, kind=EntryType.DIRECTORY),
        planned("/Users/a/holiday.jpg", 36),
        planned("/Users/a/copy of holiday.jpg", 37, flags=EntryFlag.DELETED | EntryFlag.META_UNALLOCATED),
        *(planned(path, 40 + n) for n, path in enumerate(HOSTILE_PATHS)),
        planned("/Users/a/AppData/Local/Google/Chrome/History", 60, 131_072),
        planned("/Users/a/empty.txt", 61, 0),
        planned("/Users/a/lost.bin", 62, 9_000, EntryFlag.DELETED | EntryFlag.NO_CONTENT),
        planned("/Users/a/broken.zip", 63, 70_000),
    ]


def fill(folder: Path) -> CaseStore:
    """Make the case in ``folder`` and give it back open for writing."""
    store = CaseStore.create(folder)
    store.custody.append(custody.CASE_CREATED, {}, T, "J. Examiner")
    store.custody.append(custody.SCAN_STARTED, {"workers": 2}, T + SECOND, "J. Examiner")
    for section, value in MANIFEST.items():
        store.set_manifest(section, value)
    first = store.begin_evidence(
        LABEL, "/evidence/laptop.E01", "ewf", 5 << 30, ["/evidence/laptop.E01"], {"md5": "0" * 32},
        {"case number": "17/2024", "examiner": "<b>J. Examiner</b>"},
    )  # fmt: skip
    opened = {"path": "/evidence/laptop.E01", "files": {"/evidence/laptop.E01": [1_000_000, T]}}
    store.custody.append(custody.EVIDENCE_OPENED, opened, T + 2 * SECOND, "J. Examiner")
    store.add_volumes(
        [
            VolumeRow(first, "p1", "fat32", 1 << 20, 64 << 20, "open", "EFI", "fat32"),
            VolumeRow(first, "p2", "ntfs", 65 << 20, 4 << 30, "open", "Basic data", "ntfs"),
            VolumeRow(first, "p3", "bitlocker", 4161 << 20, 900 << 20, "locked", "BitLocker", ""),
        ]
    )
    store.add_entries(first, [planned("/DCIM/IMG_0001.JPG", 7, volume="p1")])
    store.add_entries(first, entries())
    store.finish_walk(first)
    store.add_results(results(store))
    here = Locator(LABEL, "p3")
    locked = notice(NoticeKind.ENCRYPTED, here, "BitLocker volume, no key was given: not examined", "volumes")
    store.add_notices([locked, locked])
    store.set_computed_digests(first, {"md5": "0" * 32, "sha256": "1" * 64})
    detail = {"exit code": 3, "content digest": store.content_digest()}
    store.custody.append(custody.SCAN_FINISHED, detail, T + 60 * SECOND, "J. Examiner")
    return store


def results(store: CaseStore) -> list[FileResult]:
    """A result for every wanted entry but the last."""
    made = []
    for stored in list(store.pending()):
        place = Locator(LABEL, stored.volume, stored.entry.path, stored.entry.address)
        if stored.entry.path.endswith("broken.zip"):
            continue
        digests = {"md5": f"{stored.id:032x}"[-32:], "sha1": f"{stored.id:040x}"[-40:], "sha256": f"{stored.id:064x}"}
        found, outcomes = _found(stored.entry.path, place)
        doubts = ()
        if stored.entry.path.endswith('calc"!A1.csv'):
            doubts = (notice(NoticeKind.FAILED, place, "row 3: <img src=x onerror=alert(1)>", "browser.chromium"),)
        kind = "image/jpeg" if stored.entry.path.lower().endswith(".jpg") else "application/octet-stream"
        made.append(FileResult(stored.id, "done", stored.entry.size, kind, digests, outcomes, found, doubts))
    return made


def _found(path: str, place: Locator) -> tuple[tuple[Found, ...], str]:
    name = path.rpartition("/")[2]
    if name == "History":
        return _history(place), "FF-0"
    if path.startswith("/DCIM"):
        return (Found("media.exif", _metadata(place)),), "0-F0"
    if name == "holiday.jpg":
        return (Found("hash.known", _hit(place, Grade.EXACT, "md5 0123", "sha1", category="1")),), "F-00"
    if name == "copy of holiday.jpg":
        return (Found("hash.known", _hit(place, Grade.NEAR, "pdq distance 12 of 256, threshold 31", "pdq")),), "F-00"
    if "script" in name:
        hit = _hit(place.at(512), Grade.INDICATOR, '"<script>" at 512', "", name="test_rule", tags=("Markup",))
        return (Found("yara.scan", hit),), "0-0F"
    if "\u202e" in name or "\n" in name or LONG_NAME in name:
        return (Found("hash.known", _hit(place, Grade.NEAR, "pdq distance 30 of 256, threshold 31", "pdq")),), "F-00"
    if name.startswith("="):
        return (Found("hash.known", _hit(place, Grade.PARTIAL, "first block md5 4567", "md5")),), "F-X0"
    return (), "0-S0"


def _hit(place: Locator, grade: Grade, detail: str, algorithm: str, *, name: str = "Known set A", category: str = "",
         tags: tuple[str, ...] = ()) -> Hit:  # fmt: skip
    scheme = "vics-2" if category else ""
    return Hit(source=place, grade=grade, name=name, detail=detail, algorithm=algorithm, scheme=scheme,
               category=category, tags=tags)  # fmt: skip


def _history(place: Locator) -> tuple[Found, ...]:
    visit = Visit(
        source=place.at_row("urls", 3), browser="Chrome", url="https://example.org/?q=<b>", title="An \u202eexample",
        visited=webkit_us(13_359_032_430_000_000), transition="link", visit_count=2,
    )  # fmt: skip
    never = Visit(
        source=place.at_row("urls", 4), browser="Chrome", url="https://example.org/never", title=Absent.NOT_RECORDED,
        visited=webkit_us(0), transition=Absent.NOT_RECORDED, visit_count=0,
    )  # fmt: skip
    named = Hit(source=place.at_row("urls", 3), grade=Grade.REFERENCE, name="Known set A", detail="sha1 in url column")
    return Found("browser.chromium", visit), Found("browser.chromium", never), Found("hash.known", named)


def _metadata(place: Locator) -> MediaMetadata:
    return MediaMetadata(
        source=place, width=640, height=480, make="Canon", model="EOS", software=Absent.NOT_RECORDED,
        taken=local_text("2024:05:01 10:20:30", "%Y:%m:%d %H:%M:%S"), digitized=Absent.NOT_RECORDED,
        modified=Absent.UNPARSABLE, latitude=-1.28, longitude=36.8, positioned=Absent.NOT_RECORDED,
    )  # fmt: skip


def recycled(place: Locator) -> RecycledFile:
    """A record with a FILETIME."""
    return RecycledFile(
        source=place, original_path="C:\\a.jpg", content_path="/$Recycle.Bin/$RA.jpg", size=5,
        deleted=filetime(133_590_324_300_000_000), owner="S-1-5-21",
    )  # fmt: skip
