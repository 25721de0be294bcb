"""What a scan was made with: everything that can change its result, by version and digest."""

import json
import platform
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final

from triage import __version__
from triage.case.store import CaseStore
from triage.engine.digesting import kernel
from triage.engine.discover import Discovery
from triage.engine.request import ScanRequest
from triage.engine.sets import describe_sets
from triage.errors import CaseError
from triage.hashsets.search import kernel as search_kernel
from triage.plugin import Plugin

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
IN_CASE: Final = "case:"
"""Stands before the path of an input that lies in the case folder."""
_DECIDING: Final = ("suite", "plugins", "plugins left out", "inputs", "options")
"""Sections in which two runs over one case must agree, or the case would mix results of different kinds."""


def file_states(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size in bytes and modification time in ns of each file, as the operating system says."""
    states = {}
    for path in files:
        status = path.stat()
        states[str(path)] = [status.st_size, status.st_mtime_ns]
    return states


def describe_scan(
    request: ScanRequest,
    discovery: Discovery,
    plugins: Sequence[Plugin],
    idle: Mapping[str, str],
    sets: Sequence[Path],
) -> dict[str, Any]:
    """The manifest's sections. Keys and passwords are not part of it; that some were given is.

    ``plugins`` are those that run, ``idle`` those that do not, with the reason.
    """
    return {
        "suite": {"name": "forensic-triage", "version": __version__},
        "platform": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "digests": kernel(),
            "look-ups": search_kernel(),
        },
        "libraries": _libraries(),
        **plugin_sections(discovery, idle),
        "plugins left out": dict(sorted(idle.items())),
        "inputs": _inputs(plugins, request.case),
        "hash sets": describe_sets(sets),
        "options": {
            "profile": _plain(request.profile, request.case),
            "plugins": {
                plugin: _plain(options, request.case.resolve())
                for plugin, options in sorted(request.plugin_options.items())
            },
            "scheme": request.scheme,
            "shadow copies": request.options.shadow_copies,
        },
        "keys given": bool(request.options.keys),
        "operator": request.operator,
    }


def _inputs(plugins: Sequence[Plugin], case: Path) -> dict[str, dict[str, str]]:
    """Files that results depend on, by plugin; those in the case folder by their place in it, for a case may move."""
    inputs: dict[str, dict[str, str]] = {}
    for plugin in plugins:
        found = {_in_case(path, case.resolve()): digest for path, digest in sorted(plugin.inputs().items())}
        if found:
            inputs[plugin.id] = found
    return inputs


def _in_case(path: str, case: Path) -> str:
    return IN_CASE + Path(path).relative_to(case).as_posix() if Path(path).is_relative_to(case) else path


def plugin_sections(discovery: Discovery, idle: Container[str] = ()) -> dict[str, Any]:
    """The plugins that were loaded, in the order in which they run, and those that could not be, with the reason.

    Those that are ``idle`` are left out: outcomes of files are stored in the order of this list.
    """
    return {
        "plugins": [
            {"id": loaded.plugin.id, "origin": loaded.origin, "module": loaded.module, "sha256": loaded.sha256}
            for loaded in discovery.loaded
            if loaded.plugin.id not in idle
        ],
        "broken plugins": [{"origin": broken.origin, "error": broken.error} for broken in discovery.broken],
    }


def check_same_scan(store: CaseStore, described: dict[str, Any]) -> None:
    """Record the manifest of a new case, or see that a continued scan is the same scan.

    Raises:
        CaseError: the case was scanned with other plugins, lists, rules or options; the message names which.
    """
    known = store.manifest()
    plain = json.loads(json.dumps(described))
    for section in _DECIDING:
        if section in known and known[section] != plain[section]:
            raise CaseError(
                f"this case was scanned with other {section}; results of both would be mixed. "
                "Use the same command to continue it, or another case folder."
            )
    for section, value in plain.items():
        store.set_manifest(section, value)


def _libraries() -> dict[str, str]:
    try:
        needed = requires("forensic-triage") or []
    except PackageNotFoundError:
        return {}
    found = {_NAME.match(text) for text in needed if "extra ==" not in text}
    names = sorted(match.group() for match in found if match is not None)
    return {name: version(name) for name in names}


def _plain(value: Any, case: Path) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(part, case) for key, part in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(part, case) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, case) for part in value]
    if isinstance(value, Path):
        return _in_case(str(value), case)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
