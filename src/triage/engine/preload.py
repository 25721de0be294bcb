"""Imported by the server that workers are forked from: what each of them needs, made once and shared by all.

Plugins of others are not touched here: what they do while they are imported is contained in the worker.
"""

import triage.engine.workers  # noqa: F401 - the import is the point
from triage.engine.discover import bundled
from triage.guard import attempt

for _plugin in bundled():
    # Made and dropped: what a class keeps for all its instances (compiled rules) stays. A fault shows where it is used.
    attempt(_plugin)
