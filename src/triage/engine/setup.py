"""What a worker process is started with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.engine.discover import Discovery
from triage.engine.profile import Profile
from triage.evidence.entry import OpenOptions
from triage.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a worker needs to start, whatever machine it runs on, as long as the evidence paths are reachable.

    ``evidence`` maps the evidence's id in the case to (path, label). ``plugins`` are the ids to run, in order.
    ``memory`` bounds what a worker may allocate, in bytes.
    """

    evidence: Mapping[int, tuple[Path, str]]
    options: OpenOptions
    profile: Profile
    plugins: tuple[str, ...]
    plugin_options: Mapping[str, Any]
    plugin_folders: tuple[Path, ...]
    scratch: Path
    step_seconds: float
    memory: int


def make_plugins(discovery: Discovery, ids: Sequence[str], options: Mapping[str, Any]) -> list[Plugin]:
    """Construct the plugins named by ``ids``, in that order."""
    classes = {loaded.plugin.id: loaded.plugin for loaded in discovery.loaded}
    return [classes[plugin](options.get(plugin)) for plugin in ids]
