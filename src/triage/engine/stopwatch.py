"""Where the time of a scan went."""

import time
from typing import Any


class Stopwatch:
    """Seconds by stage, and when the first known file was found. It runs from its making on."""

    def __init__(self) -> None:
        self._began = self._since = time.monotonic()
        self._stage = ""
        self._seconds: dict[str, float] = {}
        self.first_hit: float | None = None

    def stage(self, name: str) -> None:
        """Another stage begins; one that was there before goes on."""
        now = time.monotonic()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = name, now

    def hit(self) -> None:
        """A known file was found."""
        if self.first_hit is None:
            self.first_hit = self.passed()

    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def ended(self) -> dict[str, Any]:
        """What the custody log keeps: ``seconds`` by stage and in all, ``first hit`` in seconds if there was one."""
        self.stage("")
        seconds = {name: round(spent, 3) for name, spent in self._seconds.items()}
        hit = {} if self.first_hit is None else {"first hit": round(self.first_hit, 3)}
        return {"seconds": {**seconds, "total": round(self.passed(), 3)}, **hit}
