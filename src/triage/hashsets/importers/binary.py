"""EnCase hash sets, indexes of The Sleuth Kit, and binary formats that are named but not read.

References: The Sleuth Kit's ``tsk/hashdb/encase.cpp`` (signature, name at 1032, records of 18 bytes from 1152) and
``binsrch_index.cpp`` (two header lines whose keys are zeros, then sorted ``digest|offset``).
"""

import re
from binascii import unhexlify
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers.digests import BY_DIGITS
from triage.hashsets.importers.sample import Opened, Sample

_ENCASE: Final = b"HASH\r\n\xff\0"
_NAME_AT: Final = 1032
_RECORDS_AT: Final = 1152
_RECORD: Final = 18
_MD5: Final = 16
_INDEX: Final = re.compile(rb"0{41}\|([^\r\n]{0,80})\r?\n(?:0{40}1\|([^\r\n]{0,1024})\r?\n)?")
_INDEX_LINE: Final = re.compile(rb"([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40})\|\d{16}")
_LMDB_MAGIC: Final = b"\xde\xc0\xef\xbe"
_LMDB_AT: Final = 16
_SIGNATURES: Final = (
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz; unpack it first"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an old office program; save the table as CSV"),
    (b"%PDF-", "a PDF; ask for the list as CSV or VICS"),
)
_HASHDB: Final = (
    "a database of NPS hashdb (LMDB), which holds digests of blocks, not of files; `hashdb export` writes it as text, "
    "and a list of file digests can be made of its sources"
)
_XWAYS: Final = (
    "a hash database of X-Ways (.xhd), whose layout is not published; export the set there as text (first line the "
    "type, one digest per line) or as VICS"
)


def refuse_folder(path: Path) -> None:
    """Say what a folder is, where a list is expected.

    Raises:
        ValueError: always.
    """
    names = [each.name.lower() for each in path.iterdir()]
    if any(name.endswith(".xhd") for name in names):
        raise ValueError(f"a folder with {_XWAYS}")
    if "data.mdb" in names or any(name.startswith("lmdb_") for name in names):
        raise ValueError(f"a folder with {_HASHDB}")
    raise ValueError("a folder; a list is one file")


def refuse_known(sample: Sample) -> None:
    """Say what a binary file is that cannot be read as a list.

    Raises:
        ValueError: it is one of those that are known, or it is binary.
    """
    for signature, said in _SIGNATURES:
        if sample.head.startswith(signature):
            raise ValueError(f"a binary file: {said}")
    if sample.head[_LMDB_AT : _LMDB_AT + 4] == _LMDB_MAGIC:
        raise ValueError(_HASHDB)
    if "\0" in sample.text:
        if sample.path.suffix.lower() == ".xhd":
            raise ValueError(_XWAYS)
        raise ValueError(
            "a binary file in no format of lists that is known here (X-Ways .xhd and iLook sets are not read: export "
            "them as text, CSV or VICS)"
        )


def open_encase(sample: Sample) -> Opened | None:
    """Read an EnCase hash set: MD5 only; the name of the set is given as its version."""
    if not sample.head.startswith(_ENCASE):
        return None
    stored = sample.head[_NAME_AT:_RECORDS_AT].decode("utf-16-le", "replace")
    return ListFacts("EnCase hash set", version=stored.partition("\0")[0].strip()), _encase_records(sample)


def _encase_records(sample: Sample) -> Iterator[SetEntry]:
    with sample.open() as stream:
        if len(stream.read(_RECORDS_AT)) < _RECORDS_AT:
            raise ValueError("the binary EnCase hash set breaks off in its header")
        number = 0
        while block := stream.read(_RECORD * 8192):
            for at in range(0, len(block) - _RECORD + 1, _RECORD):
                number += 1
                yield SetEntry(f"record {number}", (("md5", block[at : at + _MD5]),))
            if len(block) % _RECORD:
                raise ValueError(f"the binary EnCase hash set breaks off after record {number}")


def open_tsk_index(sample: Sample) -> Opened | None:
    """Read an index that ``hfind -i`` wrote, where the list that it was made of is no longer at hand."""
    match = _INDEX.match(sample.head)
    if match is None:
        return None
    kind, name = match[1].decode("utf-8", "replace"), (match[2] or b"").decode("utf-8", "replace")
    remarks = ("an index has each digest once, without category and size; the list it was made of says more",)
    scheme, provider = ("NSRL", "NIST NSRL") if kind == "nsrl" else ("", "")
    return ListFacts(f"index of The Sleuth Kit ({kind})", scheme, name, provider, remarks), _index_lines(sample)


def _index_lines(sample: Sample) -> Iterator[SetEntry]:
    for number, line in enumerate(sample.lines(), 1):
        text = line.strip()
        match = _INDEX_LINE.fullmatch(text)
        if match is not None:
            yield SetEntry(f"line {number}", ((BY_DIGITS[len(match[1])], unhexlify(match[1])),))
        elif text and not text.startswith(b"0" * 40):
            yield SetEntry(f"line {number}", problems=(f"no line of an index: {text[:80]!r}",))
