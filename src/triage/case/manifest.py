"""What a scan was made with, as its case tells it: the files that its results depend on, and choices to be stated.

The engine writes the sections; this reads them. A section that is missing (a scan that was stopped before it began) is
an empty one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class DependedFile(NamedTuple):
    """A file that results depend on: what it is (``plugin x``, ``input of x``), its path, its SHA-256 at the scan."""

    what: str
    path: str
    sha256: str


def depended_files(manifest: Mapping[str, Any]) -> list[DependedFile]:
    """Drop-in plugins, rule files and hash sets. Plugins of installed packages are named by module, not by path."""
    files = []
    for plugin in manifest.get("plugins", []):
        origin = str(plugin.get("origin", ""))
        path = origin.removeprefix("file ") if origin.startswith("file ") else ""
        files.append(DependedFile(f"plugin {plugin['id']}", path, str(plugin.get("sha256", ""))))
    for plugin, inputs in sorted(manifest.get("inputs", {}).items()):
        files += [DependedFile(f"input of {plugin}", path, digest) for path, digest in sorted(inputs.items())]
    return files


def plugin_module(manifest: Mapping[str, Any], plugin_id: str) -> str:
    """Name of the module that an installed plugin was loaded from; empty if the manifest does not say."""
    for plugin in manifest.get("plugins", []):
        if plugin["id"] == plugin_id:
            return str(plugin.get("module", ""))
    return ""
