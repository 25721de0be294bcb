"""Sets ready for use: built ones as they are, lists built once."""

import hashlib
import mmap
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from triage.hashsets.build import BUILDER, DEFAULTS, BuildOptions, Progress, build_set, write_set
from triage.hashsets.index import HashIndex
from triage.hashsets.index_format import MAGIC, SUFFIX


def is_set(path: Path) -> bool:
    """Whether a file begins as a built set does.

    Raises:
        ValueError: it cannot be read; names it.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC) - 1) == MAGIC[:-1]
    except OSError as error:
        raise ValueError(f"the list of known files {path} cannot be used: {error}") from error


def prepare(
    paths: Sequence[Path], folder: Path, options: BuildOptions = DEFAULTS, progress: Progress | None = None
) -> list[Path]:
    """Paths of built sets for ``paths``, each once: those that are sets already, and sets built from the lists.

    Lists are built into ``folder``, under a name made of their SHA-256 and of ``options``; a set that is there already
    and whole is not built again. A set is called as its list's file if the options give no name.

    Raises:
        ValueError: one cannot be used; names it.
        OSError: ``folder`` cannot be written to; names it.
    """
    prepared: dict[Path, None] = {}
    for path in paths:
        prepared[path if is_set(path) else _built(path, folder, options, set(prepared), progress)] = None
    return list(prepared)


def open_set(path: Path) -> HashIndex:
    """Open a built set, or build one from a list in a scratch file that ends with this process.

    Raises:
        ValueError: it cannot be used; names it.
    """
    if is_set(path):
        return HashIndex.open(path)
    with tempfile.TemporaryFile() as stream:
        facts = write_set([path], stream, DEFAULTS, path.name)
        stream.flush()
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return HashIndex(data, path, facts.sources[0].sha256)


def _built(path: Path, folder: Path, options: BuildOptions, done: set[Path], progress: Progress | None) -> Path:
    options = replace(options, name=options.name or path.name)
    out = folder / (_name(path, options) + SUFFIX)
    if out not in done and not _is_usable(out, options):
        folder.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        build_set([path], out, options, progress=progress)
    return out


def _name(path: Path, options: BuildOptions) -> str:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"the list of known files {path} cannot be used: {error}") from error
    chosen = hashlib.sha256(repr(replace(options, name="")).encode()).hexdigest()[:8]
    return f"{digest}-{chosen}"


def _is_usable(out: Path, options: BuildOptions) -> bool:
    if not out.exists():
        return False
    try:
        index = HashIndex.open(out)
        index.verify()
    except ValueError:
        # Whatever is wrong with it, building it again puts it right.
        return False
    return index.facts.builder == BUILDER and index.name == options.name
