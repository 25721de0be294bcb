"""Shared fixtures: the real evidence set, external tools, and a hostile clock."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def awkward_zone() -> None:
    """Results may not depend on the zone of the machine that runs the suite."""
    os.environ["TZ"] = "Asia/Kathmandu"
    time.tzset()


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of bundled fixtures."""
    return ROOT / "fixtures"


@pytest.fixture(scope="session")
def real() -> Path:
    """The unpacked set of real evidence (not part of the project); skips where it is not at hand."""
    named = os.environ.get("TRIAGE_REAL_EVIDENCE")
    folder = Path(named) if named else Path(os.environ.get("TMPDIR", "/tmp")) / "triage-real-evidence"
    if not (folder / ".complete").exists():
        if os.environ.get("CI") and (ROOT.parent / "shared" / "evidence").exists():
            pytest.fail("the real evidence set is beside the project but not unpacked")
        pytest.skip("the set of real evidence is not on this machine (TRIAGE_REAL_EVIDENCE)")
    return folder


@pytest.fixture(scope="session")
def lacking() -> Callable[[str], NoReturn]:
    """Ends a test that needs what this machine has not: skipped with the reason, but failed in CI, which has all."""

    def end(reason: str) -> NoReturn:
        if os.environ.get("CI"):
            pytest.fail(f"in CI: {reason}")
        pytest.skip(reason)

    return end


@pytest.fixture(scope="session")
def tool(lacking: Callable[[str], NoReturn]) -> Callable[[str], str]:
    """Path of an external program that a test compares with; skips where it is missing, but never in CI."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            lacking(f"{name} is not installed; this test compares with it")
        return found

    return find
