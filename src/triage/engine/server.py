"""Where worker processes come from."""

import sys
from multiprocessing import forkserver, get_context
from multiprocessing.context import BaseContext
from typing import Final

PRELOADED: Final = "triage.engine.preload"


def worker_context() -> BaseContext:
    """What starts processes that inherit nothing of this one by accident.

    On Linux they are forked from a server that has imported all that they need, and share the memory for it.
    """
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    context.set_forkserver_preload([PRELOADED])
    return context


def start_server() -> None:
    """Start the server now: it imports for most of a second, in which the caller can do something else."""
    worker_context()
    if sys.platform == "linux":
        forkserver.ensure_running()
