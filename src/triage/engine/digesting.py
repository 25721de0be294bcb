"""Digests of content, in lower-case hexadecimal: MD5, SHA-1 and SHA-256 in one pass where the processor can do that.

The kernel `_digests` is compiled when the suite is installed, if there is a C compiler, and used on x86-64 processors
with SHA instructions. Everywhere else, and for any other choice of algorithms, `hashlib` computes the same digests.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Final

try:
    from triage.engine import _digests
except ImportError:  # no C compiler when the suite was installed
    _digests = None  # type: ignore[assignment]

Content = bytes | bytearray | memoryview

HASHLIB: Final = "hashlib"
INTERLEAVED: Final = "interleaved (SHA-NI)"
_TOGETHER: Final = ("md5", "sha1", "sha256")
_TRIAL_LENGTHS: Final = (0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000)
"""Lengths in bytes around those at which the padding takes a block more."""


@cache
def kernel() -> str:
    """What computes MD5, SHA-1 and SHA-256 if all three are asked for: a case's manifest names it.

    `INTERLEAVED` only after the kernel has given the answers of `hashlib` on this machine.
    """
    if _digests is None or not _digests.available():
        return HASHLIB
    return INTERLEAVED if _agrees() else f"{HASHLIB} (the interleaved kernel gave other digests on this machine)"


def digests_of(data: Content, algorithms: Sequence[str]) -> dict[str, str]:
    """Digests of ``data`` by algorithm, in the order of ``algorithms`` (names of `hashlib`).

    Raises:
        ValueError: `hashlib` has no such algorithm.
    """
    asked = tuple(algorithms)
    if not _interleaved(asked):
        return _separately(data, asked)
    md5, sha1, sha256 = _digests.digests(data)
    found = {"md5": md5, "sha1": sha1, "sha256": sha256}
    return found if asked == _TOGETHER else {name: found[name] for name in asked}


class Digesting:
    """Digests of content that comes in pieces; ``algorithms`` as for `digests_of`."""

    __slots__ = ("_algorithms", "_states", "_together")

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._algorithms = tuple(algorithms)
        self._together = _digests.Digests() if _interleaved(self._algorithms) else None
        separate = () if self._together else self._algorithms
        self._states = {name: _constructor(name)(usedforsecurity=False) for name in separate}

    def update(self, data: Content) -> None:
        """Take in the next bytes."""
        if self._together is not None:
            self._together.update(data)
        for state in self._states.values():
            state.update(data)

    def hexdigests(self) -> dict[str, str]:
        """Digests of all bytes so far, as `digests_of` gives them; more bytes may follow."""
        if self._together is None:
            return {name: state.hexdigest() for name, state in self._states.items()}
        found = dict(zip(_TOGETHER, self._together.hexdigests(), strict=True))
        return {name: found[name] for name in self._algorithms}


@cache
def _interleaved(algorithms: tuple[str, ...]) -> bool:
    return sorted(algorithms) == sorted(_TOGETHER) and kernel() == INTERLEAVED


def _separately(data: Content, algorithms: Sequence[str]) -> dict[str, str]:
    return {name: _constructor(name)(data, usedforsecurity=False).hexdigest() for name in algorithms}


@cache
def _constructor(name: str) -> Callable[..., Any]:
    """The constructor of a digest; `hashlib.new` looks it up every time."""
    made = getattr(hashlib, name, None)
    return made if callable(made) else partial(hashlib.new, name)


def _agrees() -> bool:
    """Whether the kernel gives the digests of `hashlib`, for content in one and in two pieces."""
    for length in _TRIAL_LENGTHS:
        data = bytes(index % 251 for index in range(length))
        state = _digests.Digests()
        state.update(data[: length // 3])
        state.update(data[length // 3 :])
        expected = tuple(_separately(data, _TOGETHER).values())
        if _digests.digests(data) != expected or state.hexdigests() != expected:
            return False
    return True
