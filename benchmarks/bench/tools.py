"""The tools that are compared: how each is called, what shows that it did its work, and which version it is."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.stored import facts

RULE: Final = Path(__file__).with_name("one.yar")
CASE: Final = "case"
"""Name of the case folder in a scan's scratch folder."""
PERCEPTUAL: Final = "picture.pdq"
"""The plugin that makes perceptual digests."""


class NoWorkError(Exception):
    """A tool's output does not show the work that it was called for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One row: a command and what it is to show.

    ``command`` gets the image; it runs in a fresh folder, where ``proof`` afterwards finds its output (also ``stdout``
    and ``stderr``), says in a few words what was done, and raises `NoWorkError` if it was not. ``version`` is a command
    whose first line of output is the version.
    """

    name: str
    work: str
    command: Callable[[Path], list[str]]
    proof: Callable[[Path], str]
    version: list[str]
    codes: tuple[int, ...] = (0,)
    slow: bool = False
    """Takes tens of times as long as the others: fewer rounds, and a time limit."""
    makes_case: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """Those that are at hand, and the reasons for those that are not, by name."""

    found: list[Tool] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, program: str | None, reason: str, make: Callable[[str], Tool], name: str) -> None:
        """Add the tool that ``make`` makes of its program, or the reason why there is none."""
        if program is None:
            self.skipped[name] = reason
        else:
            self.found.append(make(program))


SCAN: Final = "triage scan"
"""Without the digest over the whole media, which is what ewfverify does and nothing else."""
VERIFIED: Final = "triage scan, media verified"
ONE_WORKER: Final = "triage scan --workers 1"
TWO_WORKERS: Final = "triage scan --workers 2"
WITH_PERCEPTUAL: Final = "triage scan, perceptual"
LISTING: Final = "triage ls"
PEERS: Final = ("ewfverify", "fiwalk", "tsk_loaddb", "plaso", "dissect")


def our_tools(known: Path | None, perceptual: Path | None) -> Tools:
    """Rows of the suite itself: the ``triage`` of the interpreter that runs this.

    ``known`` is a list of known files; ``perceptual`` a list with perceptual digests, for the row that makes them.

    Raises:
        FileNotFoundError: the suite is not installed there.
    """
    program = Path(sys.executable).with_name("triage")
    if not program.exists():
        raise FileNotFoundError(f"{program}: install the suite into this environment first")
    triage = str(program)
    lists = ["--hashset", str(known)] if known else []
    tools = Tools()
    work = "walk, MD5, SHA-1, SHA-256, types, bundled rules, plugins, archives, report; each chunk's checksum"
    without = [*lists, "--no-verify-media"]
    tools.found.append(_scan(triage, SCAN, work, without))
    tools.found.append(_scan(triage, VERIFIED, "the same, and the digest of the whole media compared", lists))
    tools.found.append(_scan(triage, ONE_WORKER, "the first in one worker process", [*without, "--workers", "1"]))
    tools.found.append(_scan(triage, TWO_WORKERS, "the first in two", [*without, "--workers", "2"]))
    if perceptual is None:
        tools.skipped[WITH_PERCEPTUAL] = "no list of perceptual digests given (--perceptual)"
    elif PERCEPTUAL not in _output([triage, "plugins", "--format", "csv"]):
        tools.skipped[WITH_PERCEPTUAL] = f"this version has no plugin {PERCEPTUAL}"
    else:
        extra = [*without, "--hashset", str(perceptual)]
        tools.found.append(_scan(triage, WITH_PERCEPTUAL, "the same with perceptual digests of pictures", extra))
    tools.found.append(
        Tool(
            name=LISTING,
            work="walk, list all entries",
            command=lambda image: [triage, "ls", str(image)],
            proof=lambda scratch: f"{_lines(scratch / 'stdout', b'') - 1} entries",
            version=[triage, "--version"],
            codes=(0, 3),
        )
    )
    return tools


def _scan(triage: str, name: str, work: str, extra: list[str]) -> Tool:
    return Tool(
        name=name,
        work=work,
        command=lambda image: [triage, "scan", str(image), "--case", CASE, "--quiet", *extra],
        proof=_prove_scan,
        version=[triage, "--version"],
        codes=(0, 3),
        makes_case=True,
    )


def _prove_scan(scratch: Path) -> str:
    found = facts(scratch / CASE)
    _need(found.digested, "digested files")
    return f"{found.digested} SHA-256, {found.known} known, {found.indicated} match rules"


def peer_tools(wanted: list[str], plaso: Path | None, dissect: Path | None) -> Tools:
    """Rows of the other tools that are wanted and installed; ``plaso`` and ``dissect`` are folders of programs."""
    tools = Tools()
    makers: dict[str, tuple[str, Callable[[str], Tool], Path | None]] = {
        "ewfverify": ("ewfverify", _ewfverify, None),
        "fiwalk": ("fiwalk", _fiwalk, None),
        "tsk_loaddb": ("tsk_loaddb", _tsk_loaddb, None),
        "plaso": ("log2timeline", _plaso, plaso),
        "dissect": ("target-yara", _dissect, dissect),
    }
    for name in wanted:
        program, make, folder = makers[name]
        path = shutil.which(program, path=str(folder.resolve())) if folder else shutil.which(program)
        tools.add(path, f"{program} is not installed{f' in {folder}' if folder else ''}", make, name)
    return tools


def _ewfverify(program: str) -> Tool:
    def proof(scratch: Path) -> str:
        _need(_lines(scratch / "stdout", b"ewfverify: SUCCESS"), "success")
        return "checksum is the stored one"

    return Tool(
        name="ewfverify",
        work="inflate the image, MD5 of all of it",
        command=lambda image: [program, "-q", str(image)],
        proof=proof,
        version=[program, "-V"],
    )


def _fiwalk(program: str) -> Tool:
    def proof(scratch: Path) -> str:
        count = _lines(scratch / "stdout", b"<hashdigest type='sha1'")
        return f"{_need(count, 'digests')} SHA-1"

    return Tool(
        name="fiwalk",
        work="fiwalk -x: walk, MD5, SHA-1, DFXML",
        command=lambda image: [program, "-x", str(image)],
        proof=proof,
        version=[program, "-V"],
    )


def _tsk_loaddb(program: str) -> Tool:
    def proof(scratch: Path) -> str:
        query = "SELECT count(*) FROM tsk_files WHERE md5 IS NOT NULL"
        return f"{_need(_count(scratch / 'tsk.db', query), 'digests')} MD5"

    return Tool(
        name="tsk_loaddb",
        work="tsk_loaddb -h: walk, MD5, SQLite",
        command=lambda image: [program, "-h", "-d", "tsk.db", str(image)],
        proof=proof,
        version=[program, "-V"],
    )


def _plaso(program: str) -> Tool:
    # Without these it stops to ask, or unpacks volume shadow copies, which no other tool here does.
    quiet = "-q -u --status_view none --no_dependencies_check --partitions all --volumes all --vss_stores none".split()
    work = "--parsers filestat --hashers md5,sha256".split()
    places = "--temporary_directory . --logfile log.gz --storage_file out.plaso".split()

    def proof(scratch: Path) -> str:
        query = "SELECT count(*) FROM event_data_stream WHERE sha256_hash IS NOT NULL"
        digested = _need(_count(scratch / "out.plaso", query), "digests")
        # What matched is a JSON list.
        query = "SELECT count(*) FROM event_data_stream WHERE yara_match LIKE '[\"%'"
        return f"{digested} SHA-256, {_count(scratch / 'out.plaso', query)} match the rule"

    return Tool(
        name="plaso",
        work="log2timeline: filestat, MD5, SHA-256, one rule",
        command=lambda image: [program, *quiet, *work, *places, "--yara_rules", str(RULE), str(image)],
        proof=proof,
        version=[program, "--version"],
        slow=True,
    )


def _dissect(program: str) -> Tool:
    def proof(scratch: Path) -> str:
        return f"{_need(_lines(scratch / 'stdout', b'filesystem/yara/match'), 'matches')} match the rule"

    return Tool(
        name="dissect",
        work="target-yara: walk, one rule, files up to 10 MiB",
        # ``-r`` takes all words up to the next option.
        command=lambda image: [program, "-r", str(RULE), "-q", "-s", "--no-decompress", str(image)],
        proof=proof,
        version=[str(Path(program).with_name("target-query")), "--version"],
        slow=True,
    )


def version_of(tool: Tool) -> str:
    """First line of what a tool says about its version; the reason if it says nothing."""
    lines = _output(tool.version).strip().splitlines()
    return lines[0].strip() if lines else "version not stated"


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout or done.stderr


def _need(count: int, what: str) -> int:
    if count < 1:
        raise NoWorkError(f"no {what} in its output")
    return count


def _lines(path: Path, part: bytes) -> int:
    """How many lines hold ``part``."""
    with path.open("rb") as lines:
        return sum(part in line for line in lines)


def _count(path: Path, query: str) -> int:
    if not path.exists():
        raise NoWorkError(f"no {path.name}")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return int(db.execute(query).fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise NoWorkError(f"{path.name}: {error}") from error
