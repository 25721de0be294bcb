"""The wheel holds what the tree holds, and importing the suite stays cheap."""

import subprocess
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNELS = {
    f"triage/{name}{suffix}" for name in ("engine/_digests", "hashsets/_search") for suffix in EXTENSION_SUFFIXES
}
PLACES = {"src/triage": "triage", "plugins": "triage_plugins", "rules": "triage_rules"}
SHIPPED = {".py", ".pyi", ".yar", ".json", ".toml", ".typed", ".html", ".css", ".md", ".txt"}


def test_the_wheel_holds_every_module_rule_and_template(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]

    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, package in PLACES.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SHIPPED and "__pycache__" not in path.parts
    }
    assert expected == names - KERNELS


def test_importing_the_suite_loads_no_forensic_library() -> None:
    code = "import sys, triage, triage.errors, triage.locator, triage.records; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"pytsk3", "pyewf", "dfvfs", "yara", "magic", "PIL", "typer", "rich", "sqlite3"}
    assert set() == heavy & set(done.stdout.split())


def test_help_answers_without_opening_anything() -> None:
    done = subprocess.run([sys.executable, "-m", "triage", "--help"], capture_output=True, text=True)

    assert done.returncode == 0
    assert "Exit codes" in done.stdout
    for verb in ("scan", "info", "ls", "cat", "hits", "timeline", "notices", "coverage", "report", "verify", "plugins"):
        assert verb in done.stdout
