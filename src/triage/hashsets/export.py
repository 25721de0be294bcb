"""Sets written out for other programs.

A set does not keep which digests belonged to one entry of a list: every digest stands for itself here.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from triage.hashsets.index import HashIndex

_VICS_FIELDS: Final = {"md5": "MD5", "sha1": "SHA1"}
_VICS_OTHERS: Final = {"sha256": "SHA256", "sha512": "SHA512", "pdq": "PDQ", "photodna": "PhotoDNA"}
_CONTEXT: Final = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{}$metadata#Media"


def table_fields(algorithms: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `table_rows`."""
    return (*algorithms, "category", "size")


def table_rows(
    index: HashIndex, algorithms: Sequence[str]
) -> Iterator[dict[str, "str | int | float | bool | list[str] | None"]]:
    """A row for each digest and category: the digest in its algorithm's column, the raw category, the stated size."""
    for algorithm in algorithms:
        empty = dict.fromkeys(algorithms, "")
        for match in index.matches(algorithm):
            for category in match.categories or ("",):
                yield {**empty, algorithm: match.digest, "category": category, "size": match.listed_size}


def digest_lines(index: HashIndex, algorithms: Sequence[str]) -> Iterator[str]:
    """A line for each digest."""
    for algorithm in algorithms:
        for value in index.values(algorithm):
            yield value.hex() + "\n"


def vics_parts(index: HashIndex, algorithms: Sequence[str]) -> Iterator[str]:
    """A VICS 2.0 ``#Media`` document in parts, with one media object for each digest and category.

    Digests other than MD5 and SHA-1 stand as ``AlternativeHashes``. The data model's categories are whole numbers, and
    its media have an MD5; what has none is written without, and other programs may refuse it.

    Raises:
        ValueError: a category is no number, or an algorithm has no place in the data model.
    """
    misplaced = [name for name in algorithms if name not in _VICS_FIELDS and name not in _VICS_OTHERS]
    if misplaced:
        raise ValueError(f"VICS has no place for {', '.join(misplaced)} digests; choose others with --algorithm")
    words = [text for algorithm in algorithms for label in index.categories(algorithm) for text in label.categories]
    unfit = next((text for text in words if not (text.isascii() and text.isdigit() and len(text) < 10)), None)
    if unfit is not None:
        raise ValueError(f"VICS has numbers as categories, and this set has {unfit!r}; export it as CSV")
    last = index.facts.scheme.split(" ")[-1]
    profile = f"{last}/" if index.facts.scheme.startswith("VICS 2.") and last.isalpha() else ""
    yield '{"@odata.context":' + json.dumps(_CONTEXT.format(profile)) + ',"value":['
    number = 0
    for algorithm in algorithms:
        for match in index.matches(algorithm):
            for category in match.categories or ("",):
                number += 1
                media: dict[str, object] = {"MediaID": number, **_digest(algorithm, match.digest.upper())}
                if category:
                    media["Category"] = int(category)
                if match.listed_size is not None:
                    media["MediaSize"] = match.listed_size
                yield ("," if number > 1 else "") + "\n" + json.dumps(media, separators=(",", ":"))
    yield "\n]}\n"


def _digest(algorithm: str, digest: str) -> dict[str, object]:
    if algorithm in _VICS_FIELDS:
        return {_VICS_FIELDS[algorithm]: digest}
    return {"AlternativeHashes": [{"HashName": _VICS_OTHERS[algorithm], "HashValue": digest}]}
