"""ThreatExchange descriptors as JSON: an array, the ``data`` of an answer, or one object per line.

Each has an indicator, its type (``HASH_MD5``, ``HASH_PDQ`` …), a status and tags; an update that says ``should_delete``
withdraws it. Reference: Meta's ThreatExchange API, ThreatDescriptor and ThreatUpdate.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers.digests import algorithm_of, value_of
from triage.hashsets.importers.sample import Opened, Sample
from triage.hashsets.importers.vics import items_of

_TYPE: Final = re.compile(r'"(?:type|indicator_type)"\s*:\s*"HASH_\w{2,40}"')
_DATA: Final = re.compile(r'\A\s*\{(?:\s*"[a-z_]+"\s*:\s*(?:"[^"]*"|-?\d+|true|false|null)\s*,)*\s*"data"\s*:\s*\[')


def open_threatexchange(sample: Sample) -> Opened | None:
    """Read descriptors."""
    start = sample.text.lstrip()[:1]
    if start not in {"[", "{"} or not _TYPE.search(sample.text):
        return None
    facts = ListFacts("ThreatExchange JSON", "", "", "ThreatExchange")
    if start == "[":
        return facts, items_of(sample, "item", "descriptor", _descriptor)
    if _DATA.match(sample.text):
        return facts, items_of(sample, "data.item", "descriptor", _descriptor)
    return facts, items_of(sample, "", "descriptor", _descriptor, many=True)


def _descriptor(stated: object, where: str) -> SetEntry:
    if not isinstance(stated, Mapping):
        return SetEntry(where, problems=("not an object",))
    nested = stated.get("indicator")
    inner: Mapping[str, object] = nested if isinstance(nested, Mapping) else {"indicator": nested}
    indicator = inner.get("indicator") or stated.get("raw_indicator")
    kind = str(inner.get("type") or stated.get("type") or stated.get("indicator_type") or "")
    category = str(stated.get("status") or "") or ", ".join(_tags(stated.get("tags")))
    withdrawn = stated.get("should_delete") in (True, "true", "True", 1)
    algorithm = algorithm_of(kind)
    if not algorithm:
        said = f"an indicator of type {kind[:80]!r} is no digest that a set can hold"
        return SetEntry(where, (), category, None, (said,), withdrawn)
    try:
        return SetEntry(where, ((algorithm, value_of(str(indicator), algorithm)),), category, withdrawn=withdrawn)
    except ValueError as error:
        return SetEntry(where, (), category, None, (str(error),), withdrawn)


def _tags(stated: object) -> Iterator[str]:
    listed = stated.get("data") if isinstance(stated, Mapping) else stated
    for tag in listed if isinstance(listed, list) else []:
        text = tag.get("text") if isinstance(tag, Mapping) else tag
        if text:
            yield str(text)[:200]
