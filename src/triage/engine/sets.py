"""Hash sets of a scan. Lists are built once, into the case folder; every process then maps the same file."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from triage.engine.discover import Discovery
from triage.engine.request import ScanRequest
from triage.errors import CaseError, UsageError

FOLDER: Final = "hashsets"
"""Where in the case folder built sets are."""
LISTS: Final = "lists"
"""The option of a plugin that takes hash sets."""
FRAGMENTS: Final = "fragments"
"""The option of a plugin that takes indexes of the blocks of known files."""
RANK: Final = "rank"
"""The option of a plugin that scores pictures for review, to do so."""
ALWAYS: Final = "always"
"""The option of a plugin that makes perceptual digests, to do so without a set of such."""


def built_sets(request: ScanRequest) -> list[Path]:
    """The sets that were asked for: those that are built as they are, lists as sets in the case folder.

    Raises:
        UsageError: one cannot be used; names it. CaseError: the case folder cannot be written.
    """
    if not request.hashsets:
        return []
    # Building takes longer to import than a scan without lists needs to start.
    from triage.hashsets.build import BuildOptions
    from triage.hashsets.importers import ListOptions
    from triage.hashsets.nearset import SUFFIX, write_near
    from triage.hashsets.prepare import prepare

    folder, reading = request.case / FOLDER, ListOptions(request.hex64)
    try:
        sets = prepare(request.hashsets, folder, BuildOptions(scheme=request.scheme, reading=reading))
        for path in sets:
            # Sets of the user are left as they are; `triage hashset build` makes the near index of those.
            if path.parent == folder and not path.with_name(path.name + SUFFIX).exists():
                write_near(path)
        return sets
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise CaseError(f"{request.case}: a hash set cannot be built there: {error}") from error


def plugin_options(discovery: Discovery, request: ScanRequest, sets: Sequence[Path]) -> dict[str, Any]:
    """Option objects by plugin id: those of the request, with the common ones above where a plugin has them."""
    common: dict[str, Any] = {}
    if sets:
        common[LISTS] = tuple(path.resolve() for path in sets)
    if request.fragments:
        common[FRAGMENTS] = tuple(path.resolve() for path in request.fragments)
    if request.profile.perceptual:
        common[ALWAYS] = True
    if request.profile.rank:
        common[RANK] = True
    made = dict(request.plugin_options)
    for loaded in discovery.loaded:
        kind, name = loaded.plugin.Options, loaded.plugin.id
        given = {each.name: common[each.name] for each in fields(kind) if each.name in common}
        if given:
            made[name] = replace(made[name], **given) if name in made else kind(**given)
    return made


def describe_sets(sets: Sequence[Path]) -> list[dict[str, Any]]:
    """What the manifest keeps of each set: what it says of itself, and the lists that it was built from."""
    from triage.hashsets.index import HashIndex

    described = []
    for path in sets:
        index = HashIndex.open(path)
        facts = index.facts
        described.append(
            {
                "name": facts.name, "role": facts.role, "scheme": facts.scheme, "version": facts.version,
                "provider": facts.provider, "digests": dict(facts.counts), "withdrawn": dict(facts.withdrawn_counts),
                "built by": facts.builder, "content": index.digest,
                "lists": [{"name": s.name, "sha256": s.sha256, "format": s.format} for s in facts.sources],
            }
        )  # fmt: skip
    return described
