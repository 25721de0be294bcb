"""How much memory a worker may take: a plugin or library that wants more fails, and not the machine."""

import os
import sys
from typing import Final

MOST: Final = 2 << 30
"""Bytes that a worker may allocate, however large the machine is."""
_SHARE: Final = 0.8


def memory_for(workers: int) -> int:
    """Bytes that each of ``workers`` may allocate, so that all together leave the machine some."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return MOST
    return min(MOST, int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _SHARE / workers))


def limit_memory(limit: int) -> None:
    """Have allocations of this process beyond ``limit`` bytes fail. Does nothing where the system cannot (Windows).

    What is limited is private data; mapped evidence does not count.
    """
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
