"""Bounds of a walk: hostile file systems end in a notice, not in a full disk or a hung run."""

from dataclasses import dataclass, field, replace

from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice


@dataclass(frozen=True, slots=True)
class WalkLimits:
    """How far one file system is walked.

    ``entries`` bounds the names of one file system, ``depth`` the nesting of its directories, ``path`` the length of a
    path in characters. What lies beyond is a `NoticeKind.LIMIT` notice that names the bound.
    """

    entries: int = 20_000_000
    depth: int = 512
    path: int = 32_768


@dataclass(slots=True)
class Bounds:
    """The state of one walk against its limits. ``origin`` is who speaks in the notices."""

    limits: WalkLimits
    locator: Locator
    origin: str
    count: int = 0
    _entered: set[int] = field(default_factory=set)

    def full(self) -> bool:
        """Count one more name; true once there are more than the limit allows."""
        self.count += 1
        return self.count > self.limits.entries

    def stop(self) -> Notice:
        """The notice to end a walk with that is `full`."""
        message = f"more than {self.limits.entries} names: the walk ends here, the rest is not listed"
        return notice(NoticeKind.LIMIT, self.locator, message, self.origin)

    def refuse(self, path: str, depth: int, identity: int) -> Notice | None:
        """Why the directory ``path`` may not be entered, or `None` if it may; remembers ``identity`` as entered."""
        where = replace(self.locator, path=path[: self.limits.path], address=str(identity))
        if identity in self._entered:
            return notice(NoticeKind.LOOP, where, "the directory was entered before under another path", self.origin)
        if depth > self.limits.depth:
            message = f"nested deeper than {self.limits.depth} directories: what is in it is not listed"
            return notice(NoticeKind.LIMIT, where, message, self.origin)
        if len(path) > self.limits.path:
            message = f"path longer than {self.limits.path} characters: what is in it is not listed"
            return notice(NoticeKind.LIMIT, where, message, self.origin)
        self._entered.add(identity)
        return None
