"""``triage hashset``: build sets of known digests, and look into them. No evidence and no case is needed."""

import hashlib
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer

from triage.cli.options import Digests64, Format, FormatOption
from triage.cli.output import write_rows
from triage.errors import INCOMPLETE, IntegrityError, TriageError, UsageError
from triage.evidence.files import FileSource
from triage.hashsets.block_index import BlockIndexBuilder
from triage.hashsets.build import BuildOptions, build_set
from triage.hashsets.entry import DIGEST_BYTES
from triage.hashsets.export import digest_lines, table_fields, table_rows, vics_parts
from triage.hashsets.importers import ListOptions
from triage.hashsets.index import HashIndex, HashMatch
from triage.hashsets.index_format import Role
from triage.hashsets.nearset import write_near
from triage.hashsets.prepare import open_set
from triage.hashsets.schemes import JOINED, names
from triage.report.listings import Row
from triage.report.text import visible
from triage.report.writing import write_csv

FOUND: Final = ("digest", "state", "algorithm", "set", "role", "scheme", "category", "disposition", "listed_size")
"""Fields of `triage hashset lookup`."""
INFO: Final = (
    "name", "role", "scheme", "version", "provider", *DIGEST_BYTES, "withdrawn", "entries", "rejected", "partly_used",
    "repeated", "degenerate", "bytes", "content_digest", "file_sha256", "builder", "sources", "reasons", "path",
)  # fmt: skip
"""Fields of `triage hashset info`."""
LISTED: Final = "listed"
NOT_LISTED: Final = "not listed"
WITHDRAWN: Final = "withdrawn"
_BATCH: Final = 1 << 16
_BY_LENGTH: Final = {
    2 * length: [name for name, each in DIGEST_BYTES.items() if each == length] for length in DIGEST_BYTES.values()
}
_CATEGORIES_SHOWN: Final = 20

group = typer.Typer(
    name="hashset",
    help="Sets of known digests: build them from published lists, look into them, export them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class ExportFormat(StrEnum):
    """How a set is written out."""

    CSV = "csv"
    LINES = "lines"
    VICS = "vics"


SetPath = Annotated[Path, typer.Argument(metavar="FILE", help="A built set, or a list.")]
Algorithm = Annotated[str, typer.Option(help=f"Only these digests: {', '.join(DIGEST_BYTES)}.")]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    group.command(epilog="Example:  triage hashset build vics-set.json --out unit.hset --scheme vic-us")(build)
    group.command(epilog="Example:  triage hashset info unit.hset --verify")(info)
    group.command(epilog="Example:  sha1sum *.jpg | triage hashset lookup unit.hset -")(lookup)
    group.command(epilog="Example:  triage hashset export unit.hset --format vics > unit.vics.json")(export)
    group.command(epilog="Example:  triage hashset fragments ./held-files --out unit.hblk")(fragments)
    app.add_typer(group)


def build(
    lists: Annotated[list[Path], typer.Argument(metavar="LIST...", help="Published lists, in any format.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the set goes; an older set there is replaced.")],
    name: Annotated[str, typer.Option(help="What hits call the set; otherwise the name of FILE.")] = "",
    scheme: Annotated[
        str, typer.Option(help=f"Whose categories these are: {', '.join(names())}, or a file; without, all alerts.")
    ] = "",
    role: Annotated[Role, typer.Option(help="alert: these files are leads. exclude: known and of no interest.")] = (
        Role.ALERT
    ),
    provider: Annotated[str, typer.Option(help="Who publishes the list, where it does not say.")] = "",
    version: Annotated[str, typer.Option(help="Edition of the list, where it does not say.")] = "",
    digests: Annotated[Digests64 | None, typer.Option(help="What 64 hex digits are: sha256 or pdq.")] = None,
    scratch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For scratch files; otherwise beside FILE.")
    ] = None,
) -> None:
    """Build one set from one or more lists of the same publisher."""
    reading = ListOptions(hex64="" if digests is None else digests.value)
    options = BuildOptions(name, role, scheme, provider, version, reading)
    progress = _progress if sys.stderr.isatty() else None
    try:
        build_set(lists, out, options, scratch, progress)
        write_near(out)
    except ValueError as error:
        raise TriageError(str(error)) from error
    finally:
        if progress is not None:
            typer.echo("\r\x1b[K", nl=False, err=True)
    _tell(_open(out), "")


def fragments(
    files: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Files that the unit holds.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the index goes; an older one there is replaced.")],
) -> None:
    """Index the blocks of files, so that `triage scan --fragments` finds what is left of them."""
    builder, taken, blocks = BlockIndexBuilder(), 0, 0
    paths = [each for path in files for each in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    labels: set[str] = set()
    for path in paths:
        if not path.is_file():
            continue
        with path.open("rb") as stream:
            label = f"{path.name} (sha256 {hashlib.file_digest(stream, 'sha256').hexdigest()})"
        if label not in labels:
            labels.add(label)
            blocks += builder.add_file(label, FileSource(path))
            taken += 1
    if not blocks:
        raise TriageError(f"no file has a block that is likely to be its own ({taken:,} files of {len(paths):,} read)")
    builder.write(out)
    typer.echo(f"{out}: {blocks:,} distinct blocks of {taken:,} files")


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Built sets, or lists.")],
    verify: Annotated[bool, typer.Option("--verify", help="Read all of it and compare with its digest.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what a set is, where it comes from and what was not taken into it."""
    indexes = [_open(path) for path in files]
    digests = [_checked(index) if verify else "" for index in indexes]
    if form is Format.TABLE:
        for number, (index, digest) in enumerate(zip(indexes, digests, strict=True)):
            typer.echo("", nl=bool(number))
            _tell(index, digest)
        return
    _write((_info_row(index, digest) for index, digest in zip(indexes, digests, strict=True)), INFO, form)


def lookup(
    words: Annotated[
        list[str],
        typer.Argument(metavar="FILE... DIGEST...|-", help="Sets (or lists), then digests in hex; `-` reads lines."),
    ],
    form: FormatOption = Format.TABLE,
) -> None:
    """Say whether sets hold digests. A digest is looked for under every algorithm of its length.

    Ends with 0 whether or not something was found: what was, stands in the column `state`. Lines that hold no digest
    are told, and end it with 3.
    """
    digests = [word for word in words if word == "-" or _digest(word) is not None]
    paths = [Path(word) for word in words if word not in digests]
    if not paths or not digests:
        raise UsageError("name at least one set and one digest (or - for lines of the standard input)")
    indexes = [_open(path) for path in paths]
    bad: list[str] = []
    found = _found(indexes, _asked(digests, bad))
    if form is Format.TABLE:
        # No table: digests have to be seen whole, and leave no room for columns.
        sys.stdout.writelines(f"{row['digest']}  {visible(_sentence(row))}\n" for row in found)
    else:
        _write(found, FOUND, form)
    if bad:
        for line in bad[:10]:
            typer.echo(f"not a digest: {visible(line)}", err=True)
        typer.echo(f"{len(bad):,} lines hold no digest", err=True)
        raise typer.Exit(INCOMPLETE)


def export(
    file: SetPath,
    form: Annotated[ExportFormat, typer.Option("--format", help="csv, lines (digests only) or vics (VICS 2.0).")] = (
        ExportFormat.CSV
    ),
    algorithm: Algorithm = "",
) -> None:
    """Write out the digests of a set. Which digests belonged to one entry of a list is not kept in a set."""
    index = _open(file)
    chosen = _chosen(index, algorithm)
    if form is ExportFormat.CSV:
        write_csv(table_rows(index, chosen), table_fields(chosen), sys.stdout)
    elif form is ExportFormat.LINES:
        sys.stdout.writelines(digest_lines(index, chosen))
    else:
        try:
            sys.stdout.writelines(vics_parts(index, chosen))
        except ValueError as error:
            raise TriageError(str(error)) from error


def _open(path: Path) -> HashIndex:
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    try:
        return open_set(path)
    except ValueError as error:
        raise TriageError(str(error)) from error


def _checked(index: HashIndex) -> str:
    try:
        return index.sha256
    except ValueError as error:
        raise IntegrityError(str(error)) from error


def _progress(entries: int) -> None:
    typer.echo(f"\r{entries:,} entries read", nl=False, err=True)


def _write(rows: Iterable[Row], fields: tuple[str, ...], form: Format) -> None:
    if form is Format.CSV:
        write_csv(rows, fields, sys.stdout)
    else:
        write_rows("hashset", rows, form, fields)


def _info_row(index: HashIndex, file_sha256: str) -> Row:
    facts = index.facts
    counts = {name: facts.counts.get(name, 0) for name in DIGEST_BYTES}
    return {
        "name": facts.name, "role": facts.role, "scheme": facts.scheme, "version": facts.version,
        "provider": facts.provider, **counts, "withdrawn": sum(facts.withdrawn_counts.values()),
        "entries": sum(source.entries for source in facts.sources), "rejected": facts.rejected,
        "partly_used": facts.partly, "repeated": facts.repeated, "degenerate": facts.degenerate, "bytes": index.size,
        "content_digest": index.digest, "file_sha256": file_sha256, "builder": facts.builder,
        "sources": [f"{source.sha256} {source.name}" for source in facts.sources], "reasons": list(facts.reasons),
        "path": str(index.path),
    }  # fmt: skip


def _tell(index: HashIndex, file_sha256: str) -> None:
    for name, value in _lines(index, file_sha256):
        typer.echo(f"{name:16} {visible(value)}".rstrip())


def _lines(index: HashIndex, file_sha256: str) -> Iterator[tuple[str, str]]:
    facts = index.facts
    meaning = {Role.ALERT: "files in it are leads", Role.EXCLUDE: "files in it are known and of no interest"}
    yield "set", facts.name
    yield "role", f"{facts.role} ({meaning[index.role]})"
    yield "scheme", facts.scheme or "none stated: every category alerts"
    yield "version", facts.version or "not stated"
    yield "provider", facts.provider or "not stated"
    for source in facts.sources:
        yield "list", f"{source.name}: {source.format}, {source.bytes:,} bytes, {source.entries:,} entries"
        yield "", f"SHA-256 {source.sha256}"
        if source.scheme and source.scheme != facts.scheme:
            yield "", f"states the scheme {source.scheme}"
        for remark in source.remarks:
            yield "", remark
    for algorithm, count in facts.counts.items():
        yield algorithm, f"{count:,}"
        yield from _category_lines(index, algorithm)
    for algorithm, count in facts.withdrawn_counts.items():
        yield "withdrawn", f"{count:,} {algorithm} (taken off by the publisher)"
    yield "repeated", f"{facts.repeated:,} (digests that were given again)"
    yield "dropped", f"{facts.degenerate:,} (digests of empty files, and placeholders)"
    entries = sum(source.entries for source in facts.sources)
    yield "rejected", f"{facts.rejected:,} of {entries:,} entries; {facts.partly:,} more used in part"
    for reason in facts.reasons:
        yield "", reason
    digests = sum(facts.counts.values())
    yield "size", f"{index.size:,} bytes, {index.size / digests:.1f} per digest"
    yield "content digest", index.digest
    if file_sha256:
        yield "verified", f"whole; SHA-256 of the file {file_sha256}"
    yield "built by", facts.builder


def _category_lines(index: HashIndex, algorithm: str) -> Iterator[tuple[str, str]]:
    found = index.categories(algorithm)
    for (categories, disposition), count in islice(found.items(), _CATEGORIES_SHOWN):
        named = f"in category {JOINED.join(categories)}" if categories else "without a category"
        meant = index.role.value if index.role is Role.EXCLUDE else disposition
        yield "", f"{count:>14,} {named}: {meant}"
    if len(found) > _CATEGORIES_SHOWN:
        yield "", f"and {len(found) - _CATEGORIES_SHOWN:,} categories more"


def _digest(text: str) -> bytes | None:
    if len(text) not in _BY_LENGTH:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _asked(words: list[str], bad: list[str]) -> Iterator[bytes]:
    """The digests that are asked for; lines without any go to ``bad``."""
    for word in words:
        if word != "-":
            yield bytes.fromhex(word)
            continue
        for line in sys.stdin:
            # md5sum and its like put a backslash before the digest where a name is escaped.
            first = line.strip().removeprefix("\\").split(maxsplit=1)
            value = _digest(first[0]) if first else None
            if value is not None:
                yield value
            elif first:
                bad.append(line.strip()[:200])


def _found(indexes: list[HashIndex], asked: Iterator[bytes]) -> Iterator[Row]:
    while batch := list(islice(asked, _BATCH)):
        rows: list[list[Row]] = [[] for _ in batch]
        for index in indexes:
            for length, algorithms in _BY_LENGTH.items():
                places = [at for at, value in enumerate(batch) if 2 * len(value) == length]
                for algorithm in algorithms if places else ():
                    _ask(index, algorithm, batch, places, rows)
        for value, found in zip(batch, rows, strict=True):
            yield from found or [_row(value.hex(), NOT_LISTED)]


def _ask(index: HashIndex, algorithm: str, batch: list[bytes], places: list[int], rows: list[list[Row]]) -> None:
    matches = index.find_many(algorithm, [batch[at] for at in places])
    for at, match in zip(places, matches, strict=True):
        if match is not None:
            rows[at].append(_row(match.digest, LISTED, index, algorithm, match))
        elif index.is_withdrawn(algorithm, batch[at]):
            rows[at].append(_row(batch[at].hex(), WITHDRAWN, index, algorithm))


def _row(
    digest: str, state: str, index: HashIndex | None = None, algorithm: str = "", match: HashMatch | None = None
) -> Row:
    return {
        "digest": digest,
        "state": state,
        "algorithm": algorithm,
        "set": index.name if index else "",
        "role": index.role.value if index else "",
        "scheme": index.facts.scheme if index else "",
        "category": match.category if match else "",
        "disposition": match.disposition if match else "",
        "listed_size": match.listed_size if match else None,
    }


def _sentence(row: Row) -> str:
    if row["state"] == WITHDRAWN:
        return f"withdrawn by the publisher of {row['set']} ({row['algorithm']})"
    if row["state"] == NOT_LISTED:
        return "not listed"
    category = f"category {row['category']}" if row["category"] else "no category"
    scheme = f" of {row['scheme']}" if row["scheme"] else ""
    size = f", {row['listed_size']:,} bytes" if isinstance(row["listed_size"], int) else ""
    return f"listed in {row['set']} ({row['algorithm']}), {category}{scheme}: {row['disposition']}{size}"


def _chosen(index: HashIndex, algorithm: str) -> list[str]:
    if algorithm and algorithm not in index.counts:
        has = ", ".join(index.counts)
        raise UsageError(f"the set {index.name} has no {algorithm} digests; it has {has}")
    return [algorithm] if algorithm else list(index.counts)
