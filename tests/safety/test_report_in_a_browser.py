"""The report in a real browser with no network: it asks for nothing, runs nothing, and hostile names are words."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)>.jpg"


@pytest.fixture(scope="module")
def report(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("browser") / "case"
    lists = [word for path in sorted(fixtures.glob("known.*")) for word in ("--hashset", str(path))]
    # A rule that hits everything, so that every hostile name of the fixture reaches the report.
    rule = case.with_name("all.yar")
    rule.write_text("rule everything { condition: filesize >= 0 }")
    command = [sys.executable, "-m", "triage", "scan", str(fixtures / "laptop.E01"), "--case", str(case), "--quiet"]
    done = subprocess.run([*command, *lists, "--rules", str(rule)], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    return case / "report"


def visit(chromium: str, page: Path, scratch: Path, *extra: str) -> str:
    net_log = scratch / "net.json"
    command = [chromium, *QUIET, f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={net_log}", *extra]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def requested(scratch: Path) -> list[str]:
    """Every address that a page asked for, out of the browser's own network log.

    What the browser asks its maker's services on its own account (the time, updates) is left out.
    """
    log = json.loads((scratch / "net.json").read_text())
    urls = {event.get("params", {}).get("url", "") for event in log["events"]}
    own = re.compile(r"https?://[a-z0-9.-]+\.(?:google|googleapis|gstatic)\.com[:/]|(?:file|data|chrome|about)[a-z-]*:")
    return sorted(url for url in urls if url and not own.match(url))


def test_no_page_asks_for_anything_and_hostile_names_are_inert(
    report: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    chromium = tool("chromium")
    seen = ""
    for number, page in enumerate(sorted(report.glob("*.html"))):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        dom = visit(chromium, page, scratch, "--dump-dom")
        seen += dom
        assert requested(scratch) == [], page.name
        assert "<script" not in dom
        assert "onerror=alert" not in dom.replace("&lt;img src=x onerror=alert(1)&gt;", "")

    assert "&lt;img src=x onerror=alert(1)&gt;.jpg" in seen
    assert "\u202e" not in seen


def test_the_first_page_can_be_looked_at(report: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    picture = tmp_path / "page.png"
    visit(tool("chromium"), report / "index.html", tmp_path, f"--screenshot={picture}", "--window-size=1280,1800")

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 50_000


def test_the_check_itself_would_notice_a_request(tmp_path: Path, tool: Callable[[str], str]) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://pictures.example.org/a.png">')
    visit(tool("chromium"), page, tmp_path, "--dump-dom")

    assert requested(tmp_path) == ["http://pictures.example.org/a.png"]
