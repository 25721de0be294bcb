"""Which plugins there are: installed packages through the entry-point group, and files from folders the user names.

Nothing registers itself: a module is imported, and the plugin class defined in it is taken. What cannot be used is
listed as broken with the reason, never left out.
"""

import hashlib
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from importlib.abc import SourceLoader
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from triage.engine.match import PathMatcher
from triage.errors import UsageError
from triage.guard import Failed, attempt
from triage.plugin import Parser, Plugin, RecordScanner, Scanner, SqliteParser, WindowScanner
from triage.records import RECORD_TYPES

GROUP: Final = "triage.plugins"
OWN_PACKAGE: Final = "forensic-triage"
_ID: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_KINDS: Final = (Scanner, WindowScanner, RecordScanner, Parser, SqliteParser)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A usable plugin.

    ``origin`` is ``bundled``, ``package <name> <version>`` or ``file <path>``; ``sha256`` is that of its source file.
    """

    plugin: type[Plugin]
    origin: str
    module: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that should be a plugin and cannot be used, and why."""

    origin: str
    error: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """All plugins in the order in which they run on a file: by id, but each after those that it names in ``after``."""

    loaded: tuple[Loaded, ...]
    broken: tuple[Broken, ...]


class _Candidate(NamedTuple):
    """A module that should hold one plugin, before it is imported."""

    stem: str
    origin: str
    load: Callable[[], ModuleType]


def discover(folders: Sequence[Path] = ()) -> Discovery:
    """Find plugins in installed packages and in the ``*.py`` files directly in ``folders``.

    Files whose name starts with ``_`` are left out. Where two plugins have one id the first stays: bundled before other
    packages (by name), those before folders (in the order given).

    Raises:
        UsageError: a folder does not exist.
    """
    loaded: dict[str, Loaded] = {}
    broken: list[Broken] = []
    candidates = [*_installed(broken), *(candidate for folder in folders for candidate in _dropped_in(folder))]
    for candidate in candidates:
        found = _examine(candidate)
        if isinstance(found, Broken):
            broken.append(found)
            continue
        first = loaded.setdefault(found.plugin.id, found)
        if first is not found:
            broken.append(Broken(found.origin, f"the id {found.plugin.id} is taken by {first.origin} ({first.module})"))
    ordered = _in_order(loaded, broken)
    return Discovery(tuple(ordered), tuple(broken))


def bundled() -> Iterator[type[Plugin]]:
    """The usable plugins of this package alone."""
    for candidate in _installed([], only_own=True):
        found = _examine(candidate)
        if isinstance(found, Loaded):
            yield found.plugin


def _installed(broken: list[Broken], only_own: bool = False) -> Iterator[_Candidate]:
    def rank(point: EntryPoint) -> tuple[bool, str, str]:
        name = point.dist.name if point.dist else ""
        return name != OWN_PACKAGE, name, point.name

    for point in sorted(entry_points(group=GROUP), key=rank):
        own = point.dist is not None and point.dist.name == OWN_PACKAGE
        if only_own and not own:
            return  # ours come first
        origin = "bundled" if own else f"package {point.dist.name} {point.dist.version}" if point.dist else "package"
        module = _import(lambda point=point: importlib.import_module(point.module))  # type: ignore[misc]
        if isinstance(module, str):
            broken.append(Broken(origin, f"{point.module}: {module}"))
        elif not hasattr(module, "__path__"):
            yield _installed_module(point.module, origin)
        else:
            for name in sorted(info.name for info in pkgutil.iter_modules(module.__path__)):
                if not name.startswith("_"):
                    yield _installed_module(f"{point.module}.{name}", origin)


def _installed_module(name: str, origin: str) -> _Candidate:
    return _Candidate(name.rpartition(".")[2], origin, lambda: importlib.import_module(name))


def _dropped_in(folder: Path) -> Iterator[_Candidate]:
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} to take plugins from")
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_"):
            yield _Candidate(path.stem, f"file {path}", lambda path=path: _load_file(path))  # type: ignore[misc]


class _FileLoader(SourceLoader):
    """Runs exactly the bytes whose digest is recorded, and leaves no byte code beside them."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - the interface names it
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:  # noqa: ARG002
        return self._content


def _load_file(path: Path) -> ModuleType:
    """Import a file under a name that no other module can have, so that it never shadows one."""
    content = path.read_bytes()
    digest = hashlib.sha256(str(path.resolve()).encode() + b"\0" + content).hexdigest()[:16]
    name = f"triage_dropin_{digest}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_loader(name, _FileLoader(path, content), origin=str(path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import(load: Callable[[], ModuleType]) -> ModuleType | str:
    """The module, or what went wrong: a plugin's module may raise anything while it is imported, even `SystemExit`."""
    imported = attempt(load)
    return imported.words() if isinstance(imported, Failed) else imported.value


def _examine(candidate: _Candidate) -> Loaded | Broken:
    module = _import(candidate.load)
    where = candidate.origin if candidate.origin.startswith("file ") else f"{candidate.origin}: {candidate.stem}.py"
    if isinstance(module, str):
        return Broken(where, module)
    classes = [
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Plugin) and each.__module__ == module.__name__
    ]
    concrete = [each for each in classes if not inspect.isabstract(each)]
    if len(concrete) != 1:
        names = ", ".join(each.__name__ for each in concrete) or "none"
        return Broken(where, f"exactly one plugin class is expected in a file; found: {names}")
    faults = _faults(concrete[0], candidate.stem)
    if faults:
        return Broken(where, f"{concrete[0].__name__}: {'; '.join(faults)}")
    return Loaded(concrete[0], candidate.origin, module.__name__, _digest(module))


def _digest(module: ModuleType) -> str:
    loader = module.__spec__.loader if module.__spec__ else None
    if isinstance(loader, _FileLoader):
        return hashlib.sha256(loader.get_data("")).hexdigest()
    return hashlib.sha256(Path(module.__file__ or "").read_bytes()).hexdigest() if module.__file__ else ""


def _faults(plugin: type[Plugin], stem: str) -> list[str]:
    """How a class breaks the contract of `triage.plugin`."""
    faults = []
    name = getattr(plugin, "id", None)
    if not isinstance(name, str) or not _ID.fullmatch(name):
        faults.append("id must be dotted lower-case text such as app.thing")
    elif stem != name.replace(".", "_"):
        faults.append(f"the file of {name} must be called {name.replace('.', '_')}.py, not {stem}.py")
    if not (plugin.__dict__.get("__doc__") or "").strip():
        faults.append("it has no docstring that says what data it reads")
    if not issubclass(plugin, _KINDS):
        faults.append("it must be a Scanner, WindowScanner, RecordScanner, Parser or SqliteParser")
    yields = getattr(plugin, "yields", None)
    if not isinstance(yields, tuple) or not yields or not set(yields) <= set(RECORD_TYPES):
        faults.append("yields must be a tuple of record types of triage.api")
    faults += [
        f"{each} must be a tuple of text" for each in ("paths", "types", "after") if not _texts(getattr(plugin, each))
    ]
    faults += _faults_of_kind(plugin)
    if not isinstance(plugin.Options, type) or not is_dataclass(plugin.Options):
        faults.append("Options must be a dataclass")
    if _texts(plugin.paths):
        try:
            PathMatcher(plugin.paths)
        except ValueError as error:
            faults.append(str(error))
    return faults


def _faults_of_kind(plugin: type[Plugin]) -> list[str]:
    faults = []
    if issubclass(plugin, SqliteParser):
        query = getattr(plugin, "query", None)
        if not isinstance(query, str) and not (query and _texts(query)):
            faults.append("query must be text, or a tuple of texts")
        if not isinstance(getattr(plugin, "table", None), str):
            faults.append("table must be text")
    if issubclass(plugin, RecordScanner) and not set(getattr(plugin, "reads", ())) <= set(RECORD_TYPES):
        faults.append("reads must be a tuple of record types of triage.api")
    return faults


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) for each in value)


def _in_order(loaded: dict[str, Loaded], broken: list[Broken]) -> list[Loaded]:
    """Sorted by id, but each after those that it names; what names the unknown, or itself in a circle, is broken."""
    waiting = dict(sorted(loaded.items()))
    done: dict[str, Loaded] = {}
    while waiting:
        ready = next(
            (name for name, each in waiting.items() if all(other in done for other in each.plugin.after)), None
        )
        if ready is not None:
            done[ready] = waiting.pop(ready)
            continue
        for name, each in waiting.items():
            unknown = [other for other in each.plugin.after if other not in loaded]
            circle = f"after names {', '.join(each.plugin.after)}, which cannot come before it"
            error = f"after names {', '.join(unknown)}, and there is no such plugin" if unknown else circle
            broken.append(Broken(f"{each.origin}: {name}", error))
        break
    return list(done.values())
