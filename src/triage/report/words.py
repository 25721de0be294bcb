"""Every word of the report that is not evidence, apart from logic, so that a second language is a second table.

Rules for these texts: they say what the data is, never what a person did; only an exact digest "matches a known file",
all else is a candidate; what was not examined is said before what was found.
"""

from typing import Final

from triage.notices import Outcome
from triage.records import Grade

TEXT: Final[dict[str, str]] = {
    "language": "en",
    "title": "Triage report",
    "nav_summary": "Summary",
    "nav_hits": "Hits",
    "nav_timeline": "Timeline",
    "nav_notices": "Notices",
    "nav_coverage": "Coverage",
    "nav_provenance": "Provenance",
    "purpose": "Leads to possible child sexual abuse material (CSAM) and related records, for an examiner to verify. "
    "No picture is shown in this report.",
    "verdict_exact": "Matches known files",
    "verdict_exact_text": "The cryptographic digest of the whole content of {files} is in a loaded list.",
    "verdict_candidates": "Candidates, no match with a known file",
    "verdict_candidates_text": "No file has the digest of a known file. {hits} must be looked at by a person.",
    "verdict_nothing": "Nothing found at this confidence",
    "verdict_nothing_text": "No file matches the lists and rules that were loaded. This is not a statement that the "
    "evidence holds no such material.",
    "verdict_incomplete": "Coverage is incomplete: see what was not examined, below.",
    "verdict_unfinished": "The scan has not finished. What follows is what was stored so far.",
    "not_examined": "What was not examined, and why",
    "nothing_unexamined": "Every file with content was read whole, and every plugin ended on every file that is meant "
    "for it.",
    "what": "What",
    "why": "Why",
    "amount": "Amount",
    "scan": "Scan",
    "unfinished": "stopped before its end, or still running",
    "volume": "Volume",
    "files": "Files",
    "plugin": "Plugin",
    "broken_plugin": "Plugin that cannot be loaded",
    "walk_unfinished": "the list of its entries is not whole",
    "evidence_notices": "Notices of kind “{kind}”",
    "see_notices": "see Notices",
    "found": "What was found",
    "grade": "Grade",
    "meaning": "Meaning",
    "hits": "Hits",
    "distinct": "Distinct contents",
    "other_dispositions": "Of these {hits} of the disposition “{disposition}”, which does not decide the verdict.",
    "exposure": "What somebody has to look at",
    "exposure_text": "A picture or video that is in this case many times needs to be seen once, and what a set of "
    "harmless files holds not at all. No picture is part of this report.",
    "exposure_media": "Pictures and videos that were read",
    "exposure_distinct": "different contents among them",
    "exposure_set": "in the set of harmless files “{name}”, and in no other that says otherwise",
    "exposure_left": "different contents left to look at",
    "exposure_groups": "groups of pictures that look alike, of which one decision each may do (triage pictures CASE)",
    "no_hits": "No hits of this grade.",
    "evidence": "Evidence",
    "label": "Label",
    "path": "Path",
    "type": "Type",
    "size": "Size",
    "digests": "Digests of the media",
    "stored": "stored in the image",
    "computed": "computed here",
    "match": "stored and computed values are equal",
    "differ": "STORED AND COMPUTED VALUES DIFFER",
    "not_computed": "not computed",
    "not_stored": "the image stores none",
    "no_digest": "none stored, none computed",
    "facts": "What the image says of itself",
    "examined": "What was examined",
    "files_read": "Files read whole",
    "bytes_read": "Bytes read",
    "entries": "Entries (files, directories, streams)",
    "deleted_entries": "of these deleted",
    "records": "Records read by plugins",
    "how_to_read": "How to read this report",
    "read_lead": "A hit is a lead. The grade says how much it tells; only “exact” means that content is identical.",
    "read_locator": "Every hit and record names its source: evidence, volume, path, the file system's own address in "
    "brackets, and a row or byte offset, so that it can be found again with other tools.",
    "read_time": "Times end in Z if the source stores UTC. Times of FAT, exFAT and camera metadata are wall-clock "
    "times without a zone; they are marked so and stand in the timeline at that reading. A missing time is left out "
    "and never replaced.",
    "read_escape": "Characters that cannot be seen or that change the order of their neighbours are shown as escapes, "
    "set apart like this:",
    "read_records": "Records are reported as what they state. Who caused them is not part of this report.",
    "hits_title": "Hits: {grade}",
    "name": "Matched",
    "category": "Category",
    "place": "Where",
    "detail": "Detail",
    "deleted": "deleted",
    "not_read": "content not read",
    "page": "Page {page} of {pages}",
    "previous": "previous",
    "next": "next",
    "rows": "{count} in all.",
    "capped": "The first {shown} of {count} are listed here; `triage export` writes all to exports/{file}.",
    "timeline_title": "Timeline",
    "timeline_scope": "This page lists times of records, of files with hits and of deleted entries: {count}. The whole "
    "timeline has {all} and is written to exports/timeline.csv by `triage export`.",
    "timeline_undatable": "{count} stored times of entries lie outside the years 1 to 9999 and are not listed.",
    "clock_utc": "UTC, clock step {step}",
    "clock_local": "wall clock, zone not stored, clock step {step}",
    "clock_unknown": "zone not known, clock step {step}",
    "time": "Time",
    "event": "Event",
    "content": "Content",
    "record_in_part": "Records in {part} state: {summary}",
    "record": "A record states: {summary}",
    "notices_title": "Notices",
    "notices_scope": "What could not be examined or must be known, each once. Kinds marked ● take something away from "
    "coverage.",
    "no_notices": "There are no notices.",
    "kind": "Kind",
    "message": "Message",
    "origin": "said by",
    "comes_from": "Comes from",
    "row": "row",
    "offset_in_file": "byte offset",
    "entries_short": "Entries",
    "coverage_title": "Coverage",
    "unread_title": "Files whose content was not read",
    "reason": "Reason",
    "bytes": "Bytes",
    "plugins_title": "How each plugin ended, in files",
    "plugins_text": "Every plugin ends on every file that is read in exactly one of these ways.",
    "entries_title": "Entries by type",
    "state": "State",
    "live": "live",
    "volumes_title": "Volumes",
    "file_system": "File system",
    "offset": "Offset",
    "description": "Description",
    "kinds_title": "Notices by kind",
    "provenance_title": "Provenance",
    "provenance_text": "This report is made from the case store alone and is the same each time for the same store. "
    "“triage verify CASE” checks the store, this log, the written files and the evidence again.",
    "custody_title": "Custody log",
    "custody_text": "Each entry is sealed with the digest of the one before. Whoever holds the last digest can tell "
    "that nothing before it was changed:",
    "file_state": "{size} bytes, modified {time}",
    "file_digests": "{files}; their digests are in the log of the case",
    "number": "No.",
    "operator": "Operator",
    "action": "Action",
    "digest": "Digest (SHA-256)",
    "software_title": "Software",
    "suite": "this suite",
    "loaded_plugins_title": "Plugins",
    "sets_title": "Hash sets",
    "set": "Set",
    "set_role": "role",
    "set_digests": "Digests",
    "scheme": "Category scheme",
    "made_from": "Made from (SHA-256)",
    "inputs_title": "Files that results depend on",
    "file": "File",
    "options_title": "Options",
    "none": "none",
    "yes": "yes",
    "no": "no",
    "shortened": "… ({count} characters in all, see exports)",
    "footer": "{name} {version} · made from the case store; no part of this page is loaded from elsewhere",
}

GRADE_NAMES: Final[dict[str, str]] = {
    Grade.EXACT.value: "exact – matches known file",
    Grade.PARTIAL.value: "partial – candidate",
    Grade.NEAR.value: "near – candidate",
    Grade.REFERENCE.value: "reference – candidate",
    Grade.INDICATOR.value: "indicator – candidate",
}

GRADE_MEANINGS: Final[dict[str, str]] = {
    Grade.EXACT.value: "The cryptographic digest of the whole content is in a loaded list.",
    Grade.PARTIAL.value: "The digest of the first block, or of a block or fragment, is in a loaded list.",
    Grade.NEAR.value: "A perceptual digest lies within the stated distance of one in a loaded list.",
    Grade.REFERENCE.value: "A record of an application names a digest of a loaded list; the file itself may be absent.",
    Grade.INDICATOR.value: "A rule, keyword or pattern matches.",
}

OUTCOME_NAMES: Final[dict[Outcome, str]] = {
    Outcome.FOUND: "found something",
    Outcome.NOTHING: "found nothing",
    Outcome.NOT_APPLICABLE: "not meant for it",
    Outcome.SKIPPED: "skipped (limit)",
    Outcome.FAILED: "failed",
    Outcome.NOT_RUN: "not run",
}

VOLUME_STATES: Final[dict[str, str]] = {
    "open": "read",
    "unlocked": "decrypted with a key that was given",
    "locked": "encrypted, no key that fits: not examined",
    "unallocated": "no volume: not examined",
    "listed": "left out by request: not examined",
    "unrecognised": "no file system recognised: not examined",
}

ENTRY_TYPES: Final[dict[str, str]] = {
    "r": "files and streams",
    "d": "directories",
    "l": "symbolic links",
    "c": "character devices",
    "b": "block devices",
    "p": "pipes",
    "h": "sockets",
    "w": "whiteouts",
    "v": "virtual files (made up by the reader)",
    "V": "virtual directories (made up by the reader)",
    "-": "of unknown type",
}


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun.

    >>> counted(1, "hit", "hits"), counted(2000, "hit", "hits")
    ('1 hit', '2,000 hits')
    """
    return f"{number:,} {one if number == 1 else many}"
