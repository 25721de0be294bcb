"""hashdeep: ``%%%% HASHDEEP-1.0``, a line that names the columns, then rows whose last value is the name of a file.

Reference: the header and the columns as hashdeep's manual page describes them.
"""

from binascii import unhexlify
from collections.abc import Iterator

from triage.hashsets.entry import DIGEST_BYTES, ListFacts, SetEntry
from triage.hashsets.importers.digests import Digest, algorithm_of, size_of, value_of
from triage.hashsets.importers.sample import Opened, Sample


def open_hashdeep(sample: Sample) -> Opened | None:
    """Read what hashdeep writes."""
    if not sample.text.startswith("%%%% HASHDEEP-"):
        return None
    version = sample.text[len("%%%% ") :].split(maxsplit=1)[0].split("-")[1]
    return ListFacts(f"hashdeep {version[:20]}"), _hashdeep_rows(sample)


def _hashdeep_rows(sample: Sample) -> Iterator[SetEntry]:
    digest_columns: list[tuple[int, str, int]] = []
    count, size_at = 1, -1
    for number, line in enumerate(sample.lines(), 1):
        if line.startswith(b"%%%% "):
            # Several outputs may stand one after the other, each with its own columns.
            columns = line[5:].decode("utf-8", "replace").strip().split(",")
            if not columns[0].startswith("HASHDEEP-"):
                named = [(at, algorithm_of(name)) for at, name in enumerate(columns)]
                digest_columns = [(at, name, 2 * DIGEST_BYTES[name]) for at, name in named if name]
                count = len(columns)
                size_at = columns.index("size") if "size" in columns else -1
            continue
        if line.startswith(b"#") or not line.strip():
            continue
        # The name of a file stands last and may hold commas.
        cells = line.split(b",", count - 1)
        digests: list[Digest] = []
        problems: list[str] = []
        for at, algorithm, digits in digest_columns:
            text = cells[at] if at < len(cells) else b""
            try:
                if len(text) == digits:
                    digests.append((algorithm, unhexlify(text)))
                elif text.strip():
                    digests.append((algorithm, value_of(text.decode("utf-8", "backslashreplace"), algorithm)))
            except ValueError as error:
                problems.append(f"{algorithm}: not a digest: {text[:80]!r} ({error})")
        if not digests and not problems:
            problems.append("no digest")
        size = size_of(cells[size_at].decode("ascii", "replace")) if 0 <= size_at < len(cells) else None
        yield SetEntry(f"line {number}", tuple(digests), "", size, tuple(problems))
