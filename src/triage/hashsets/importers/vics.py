"""VICS 1.x and 2.0 (Project VIC, CAID, NSRL's CAID export): OData JSON, ``#Media`` lists and ``#Cases`` exports.

Such lists are larger than memory and are read as a stream. A category is taken from ``Category`` and from nothing else:
``IsPrecategorized`` is known to be wrong. A VICS list is not by itself one of illegal material: NSRL publishes benign
pictures in the same format.

References: context values and the NSRL export as in IPED's ``HashDBTool.java``; fields of media as exporters write
them.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import ijson

from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers.digests import BLANK, algorithm_of, size_of, value_of
from triage.hashsets.importers.sample import HEAD, Opened, Sample, Watched

_CONTEXT: Final = re.compile(
    r'"@?odata\.(?:context|metadata)"\s*:\s*("[^"]*ProjectVic\\?/DataModels\\?/[^"]*")', re.IGNORECASE
)
_MODEL: Final = re.compile(r"DataModels/(\d+\.\d+)\.xml(?:/(\w+))?.*#(\w+)", re.IGNORECASE)
_VERSIONS: Final = frozenset(("1.1", "1.2", "1.3", "2.0"))
_PROFILES: Final = frozenset(("", "default", "us", "uk", "custom"))
_CATEGORY: Final = re.compile(r'"Category"\s*:\s*"?(-?\d+)')
_FROM: Final = ("ContactOrganization", "SourceApplicationName")
_DIGESTS: Final = {
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA256": "sha256",
    "SHA512": "sha512",
    "PhotoDNA": "photodna",
    "PDQ": "pdq",
}
_BENIGN: Final = "8"
_LARGEST: Final = 8 << 20
_PATHS: Final = {"media": "value.item", "cases": "value.item.Media.item"}


def open_vics(sample: Sample) -> Opened | None:
    """Read a VICS document.

    Raises:
        ValueError: it is one of another kind than ``#Media`` and ``#Cases``.
    """
    if not sample.text.lstrip().startswith("{"):
        return None
    context = _CONTEXT.search(sample.text) or _CONTEXT.search(_tail(sample))
    model = _MODEL.search(_string(context[1])) if context else None
    if model is None:
        return None
    version, profile, kind = model[1], model[2] or "", model[3]
    if kind.lower() not in _PATHS:
        raise ValueError(f"a VICS document of #{kind}; only #Media and #Cases hold digests")
    remarks = list(_remarks(sample.text, version, profile))
    facts = ListFacts(
        f"VICS {version} #{kind}",
        f"VICS {version} {profile}".strip(),
        "",
        _provider(sample.text) if kind.lower() == "cases" else "",
        tuple(remarks),
    )
    return facts, items_of(sample, _PATHS[kind.lower()], "media", _media)


def items_of(
    sample: Sample, path: str, called: str, entry_of: Callable[[object, str], SetEntry], *, many: bool = False
) -> Iterator[SetEntry]:
    """An entry for each item at a path of a JSON document (in ijson's notation).

    Raises:
        ValueError: the document is malformed or breaks off; raised when all before that place has been given.
    """
    with sample.utf8() as stream:
        watched, number = Watched(stream, _LARGEST), 0
        try:
            for number, item in enumerate(ijson.items(watched, path, multiple_values=many), 1):
                watched.mark()
                yield entry_of(item, f"{called} {number}")
        except (ijson.JSONError, ArithmeticError, ValueError) as error:
            raise ValueError(
                f"the JSON document is malformed or breaks off after {called} {number}: {error}"
            ) from error


def _tail(sample: Sample) -> str:
    """How the document ends: JSON has no order, and the context may stand behind all media."""
    if sample.member or sample.encoding != "utf-8":
        return ""
    with sample.open() as stream:
        stream.seek(max(stream.seek(0, io.SEEK_END) - HEAD, 0))
        return stream.read(HEAD).decode("utf-8", "replace")


def _string(literal: str) -> str:
    """A JSON string, in which a slash may be written as ``\\/``; as it stands where it is no string."""
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal


def _remarks(text: str, version: str, profile: str) -> Iterator[str]:
    if version not in _VERSIONS:
        yield f"VICS version {version} is not known here; read as the versions that are"
    if profile.lower() not in _PROFILES:
        yield f"country profile {profile} is not known here"
    categories = set(_CATEGORY.findall(text))
    if categories == {_BENIGN}:
        yield (
            "the first media all have category 8, as in NSRL's list of benign pictures in CAID's format: "
            "a list to leave files out by, not to be alerted by (scheme nsrl)"
        )
    elif profile.lower() == "uk":
        yield "categories of the UK profile (CAID) are not published; numbers are shown as they are"


def _provider(text: str) -> str:
    """Who made a case export, if that stands before its media."""
    before = text.partition('"Media"')[0]
    for name in _FROM:
        match = re.search(rf'"{name}"\s*:\s*("(?:[^"\\]|\\.)*")', before)
        if match and (said := _string(match[1]).strip()):
            return said
    return ""


def _media(media: object, where: str) -> SetEntry:
    if not isinstance(media, dict):
        return SetEntry(where, problems=("not an object",))
    fields = media if "MD5" in media else {_name(key): value for key, value in media.items()}
    digests: dict[str, bytes] = {}
    problems: list[str] = []
    for name, algorithm in _DIGESTS.items():
        stated = fields.get(name)
        if stated is not None:
            _add(digests, problems, algorithm, stated)
    if further := fields.get("AlternativeHashes"):
        own = str(fields.get("MD5") or "").strip().lower()
        for name, stated in _alternatives(further, own, problems):
            if (algorithm := algorithm_of(name)) and algorithm not in digests:
                _add(digests, problems, algorithm, stated)
    if not digests and not problems:
        problems.append("no digest")
    category = fields.get("Category")
    if isinstance(category, (dict, list)):
        problems.append("a category that is no single value")
        category = None
    return SetEntry(
        where, tuple(digests.items()), _raw(category), size_of(_raw(fields.get("MediaSize"))), tuple(problems)
    )


def _name(key: object) -> str:
    """A field by its name in any case."""
    known = {name.lower(): name for name in (*_DIGESTS, "AlternativeHashes", "Category", "MediaSize")}
    return known.get(str(key).lower(), str(key))


def _add(digests: dict[str, bytes], problems: list[str], algorithm: str, stated: object) -> None:
    if not isinstance(stated, str):
        problems.append(f"{algorithm}: not text: {str(stated)[:80]!r}")
        return
    try:
        digests[algorithm] = value_of(stated, algorithm)
    except ValueError as error:
        if stated.strip().lower() not in BLANK:
            problems.append(str(error))


def _alternatives(stated: object, own: str, problems: list[str]) -> Iterator[tuple[str, object]]:
    """Further digests of a file. Each names the MD5 of the file that it is of."""
    for each in stated if isinstance(stated, list) else [stated]:
        if not isinstance(each, dict):
            continue
        of = str(each.get("MD5") or own).strip().lower()
        if own and of != own:
            problems.append(f"an alternative digest is of another file ({of[:80]})")
        elif each.get("HashValue") is not None:
            yield str(each.get("HashName")), each["HashValue"]


def _raw(value: object) -> str:
    """A number or text as it is stated; a whole number stays one however it is written."""
    if type(value) is int:
        return str(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 19 and value == int(value):
        return str(int(value))
    return "" if value is None else str(value).strip()[:1000]
