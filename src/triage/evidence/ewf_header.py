"""What an EWF image says about its acquisition: the header, header2 and xheader sections as facts.

Format: libewf documentation of EWF, sections "Header section", "Header2 section" and "Xheader". A header is text, of
which the third line names values by letters and the fourth holds them, separated by tabs.
"""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from triage.evidence.container import Doubt
from triage.evidence.ewf_sections import Segment
from triage.evidence.files import FileSet
from triage.evidence.inflate import inflate
from triage.notices import NoticeKind
from triage.times import Timestamp, local_text, unix_s

MAX_STORED: Final = 4 << 20
MAX_TEXT: Final = 16 << 20
_NAMES: Final = {
    "a": "description",
    "c": "case_number",
    "n": "evidence_number",
    "e": "examiner",
    "t": "notes",
    "md": "model",
    "sn": "serial_number",
    "l": "device_label",
    "av": "software_version",
    "ov": "platform",
    "m": "acquisition_date",
    "u": "system_date",
    "pid": "process_id",
}
_XML_NAMES: Final = {
    "case_number": "case_number",
    "description": "description",
    "evidence_number": "evidence_number",
    "examiner_name": "examiner",
    "notes": "notes",
    "model": "model",
    "serial_number": "serial_number",
    "device_label": "device_label",
    "acquiry_software_version": "software_version",
    "acquiry_operating_system": "platform",
    "acquiry_date": "acquisition_date",
    "system_date": "system_date",
}
_DATES: Final = ("acquisition_date", "system_date")
# header2 is written beside header and holds the same values in Unicode with Unix times; xheader is libewf's own.
_PREFERENCE: Final = ("header", "header2", "xheader")


def read_header_facts(files: FileSet, segments: Sequence[Segment]) -> tuple[dict[str, str], list[Doubt]]:
    """Facts by name, the best section first; dates as ISO 8601 with the stored text in brackets."""
    facts: dict[str, str] = {}
    doubts: list[Doubt] = []
    for kind in _PREFERENCE:
        for segment in segments:
            for section in segment.of_kind(kind):
                stored = files.read(segment.index, section.data, min(section.end - section.data, MAX_STORED))
                text, _, fault = inflate(stored, MAX_TEXT)
                if fault:
                    name = files.paths[segment.index].name
                    doubts.append((NoticeKind.DAMAGED, f"{name}: the {kind} section cannot be inflated"))
                    continue
                facts.update(_xml_values(text) if kind == "xheader" else _values(_decode(text)))
    return facts, doubts


def _decode(text: bytes) -> str:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", "replace")
    return text.decode("windows-1252", "replace")  # EnCase wrote the code page of the examiner's machine


def _values(text: str) -> dict[str, str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) < 4 or lines[1] != "main":
        return {}
    found: dict[str, str] = {}
    for letter, value in zip(lines[2].split("\t"), lines[3].split("\t"), strict=False):
        name = _NAMES.get(letter)
        if name and value.strip():
            found[name] = _date(value) if name in _DATES else value.strip()
    return found


def _xml_values(text: bytes) -> dict[str, str]:
    try:
        root = fromstring(text.rstrip(b"\0"))
    except (ParseError, DefusedXmlException, ValueError):
        return {}
    return {
        _XML_NAMES[child.tag]: child.text.strip()
        for child in root
        if child.tag in _XML_NAMES and child.text and child.text.strip()
    }


def _date(stored: str) -> str:
    """A date of header2 (Unix seconds) or header (local wall clock) in ISO 8601."""
    unix = stored.isascii() and stored.isdigit() and len(stored) < 20
    time = unix_s(int(stored)) if unix else local_text(stored, "%Y %m %d %H %M %S")
    return f"{time.iso()} (stored: {stored})" if isinstance(time, Timestamp) else stored
