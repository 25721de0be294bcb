"""The benchmark runner measures what it says, and its figures are right. No speed is asserted."""

import doctest
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import make_million
import pytest
from bench import figures
from bench.figures import Bound, Figure, Target, figure, megabytes, ratio, table
from bench.measure import Measurement, measure, memory, tree
from bench.results import render
from bench.session import Session, run_tool, segments
from bench.stored import FirstHit
from bench.tools import NoWorkError, Tool
from PIL import Image

PYTHON = sys.executable
linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this system has no smaps_rollup")


def took(wall: float, *, cut: bool = False) -> Measurement:
    return Measurement(wall=wall, cpu=wall, peak=None, code=0, cut=cut)


def test_a_ratio_compares_runs_of_one_round_only():
    ours, peer = {1: took(2.0), 2: took(6.0), 3: took(9.9)}, {1: took(4.0), 2: took(6.0)}

    assert ratio(ours, peer) == Figure(0.75, 0.5, 1.0)


def test_a_tool_that_was_cut_off_gives_a_bound_and_never_a_figure():
    cut, whole = {1: took(100.0, cut=True)}, {1: took(4.0)}

    assert ratio(cut, whole) == Figure(25.0, 25.0, 25.0, Bound.AT_LEAST)
    assert ratio(whole, cut) == Figure(0.04, 0.04, 0.04, Bound.AT_MOST)
    assert ratio(cut, cut) is None
    assert ratio(whole, {2: took(1.0)}) is None


@pytest.mark.parametrize(
    ("value", "bound", "at_most", "verdict"),
    [
        (0.8, Bound.EXACT, True, "met"),
        (0.9, Bound.EXACT, True, "missed"),
        (0.7, Bound.EXACT, False, "missed"),
        (0.7, Bound.AT_LEAST, True, "open"),
        (0.9, Bound.AT_LEAST, True, "missed"),
        (0.7, Bound.AT_MOST, True, "met"),
        (0.9, Bound.AT_MOST, True, "open"),
        (0.9, Bound.AT_LEAST, False, "met"),
        (0.7, Bound.AT_LEAST, False, "open"),
        (0.7, Bound.AT_MOST, False, "missed"),
        (0.9, Bound.AT_MOST, False, "open"),
    ],
)
def test_a_bound_decides_only_what_it_can(value, bound, at_most, verdict):
    assert Target("x", 0.8, at_most=at_most).verdict(Figure(value, value, value, bound)) == verdict


def test_nothing_measured_is_neither_met_nor_missed():
    assert figure([]) is None
    assert Target("x", 1).verdict(None) == "not measured"


def test_the_peak_of_several_rounds_is_the_highest():
    assert megabytes([5_000_000, None, 7_000_000]) == Figure(7.0, 5.0, 7.0)
    assert megabytes([None]) is None


def test_the_examples_of_the_figures_hold():
    tried = doctest.testmod(figures)

    assert tried.attempted > 0
    assert tried.failed == 0


def test_a_table_of_no_rows_has_its_head():
    assert table(("a", "b"), []) == "| a   | b   |\n|-----|-----|"


def test_processor_time_and_exit_code_are_those_of_the_command_and_its_children(tmp_path):
    burn = "import time; e = time.process_time() + 0.3\nwhile time.process_time() < e: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print('said'); sys.exit(3)"

    found = measure([PYTHON, "-c", code], tmp_path)

    assert found.code == 3
    assert not found.cut
    assert found.cpu >= 0.3
    assert found.wall >= 0.3
    assert (tmp_path / "stdout").read_text() == "said\n"


@linux
def test_memory_of_the_whole_tree_is_sampled(tmp_path):
    hold = "import time; held = bytearray(b'x') * (40 << 20); time.sleep(0.6)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"

    found = measure([PYTHON, "-c", code], tmp_path)

    assert found.peak is not None
    assert 40 << 20 < found.peak < 120 << 20


@linux
def test_a_page_that_two_processes_share_counts_once(tmp_path):
    code = "import os, time; held = bytearray(b'x') * (60 << 20); os.fork(); os.fork(); time.sleep(0.7)"

    found = measure([PYTHON, "-c", code], tmp_path)

    assert found.peak is not None
    assert 60 << 20 < found.peak < 110 << 20


@linux
def test_the_tree_holds_children_of_all_threads_and_the_ended_hold_nothing():
    child = subprocess.Popen([PYTHON, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        assert child.pid in tree(os.getpid())

    assert child.pid not in tree(os.getpid())
    assert memory(child.pid) is None


@linux
def test_at_its_time_limit_the_whole_tree_is_ended(tmp_path):
    code = """if True:
        import os, pathlib, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        pathlib.Path("child").write_text(str(child.pid))
        time.sleep(60)
    """

    found = measure([PYTHON, "-c", code], tmp_path, timeout=1.5)

    assert found.cut
    assert 1.5 <= found.wall < 30
    assert memory(int((tmp_path / "child").read_text())) is None


def a_tool(code: str, proof) -> Tool:
    def command(image: Path) -> list[str]:
        return [PYTHON, "-c", code, str(image)]

    return Tool(name="one", work="work", command=command, proof=proof, version=[PYTHON, "-V"])


def no_proof(_: Path) -> str:
    raise NoWorkError("no digests in its output")


def test_a_run_without_proof_of_work_is_a_failure_and_leaves_no_folder(tmp_path):
    refused = run_tool(a_tool("", no_proof), tmp_path, tmp_path, None)
    ended = run_tool(a_tool("import sys; sys.exit('no such image')", no_proof), tmp_path, tmp_path, None)

    assert refused.failure == "no digests in its output"
    assert ended.failure == "exit code 1: no such image"
    assert list(tmp_path.iterdir()) == []


def test_results_show_every_run_and_what_failed(tmp_path):
    image = tmp_path / "x.E01"
    image.write_bytes(bytes(1000))
    good, bad = a_tool("", lambda _: "5 digests"), a_tool("import sys; sys.exit('no such image')", no_proof)
    session = Session(image, "A laptop", [good], rounds=2, slow_rounds=1, timeout=9)
    session.run_round(1, tmp_path)
    session.tools = [bad]
    session.run_round(2, tmp_path)

    text = render([(session, [(Target("x", 3), lambda _: None)])], {"plaso": "not asked for"}, {}, datetime.now(UTC))

    assert "5 digests; failed: exit code 1: no such image" in text
    assert "not measured" in text
    assert "| plaso | not asked for |" in text
    assert list(session.good("one")) == [1]


def test_segments_of_an_image_are_found_and_nothing_else(tmp_path):
    for name in ("a.E01", "a.E02", "a.EAA", "a.raw", "a.csv", "b.E01", "a.L01"):
        (tmp_path / name).touch()

    assert [path.name for path in segments(tmp_path / "a.E01")] == ["a.E01", "a.E02", "a.EAA"]
    assert segments(tmp_path / "a.raw") == [tmp_path / "a.raw"]


def test_a_known_file_is_seen_in_a_case_that_is_being_written(tmp_path):
    watch = FirstHit(tmp_path)
    watch.look(0.1)
    db = sqlite3.connect(tmp_path / "case.sqlite", isolation_level=None)
    watch.look(0.2)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE record (kind TEXT, grade TEXT)")
    db.execute("INSERT INTO record VALUES ('hit', 'indicator')")
    watch.look(0.3)
    assert watch.seconds is None

    db.execute("BEGIN")
    db.execute("INSERT INTO record VALUES ('hit', 'exact')")
    watch.look(0.4)
    assert watch.seconds is None
    db.execute("COMMIT")
    watch.look(0.5)
    watch.look(0.6)
    db.close()

    assert watch.seconds == 0.5


def test_the_million_files_are_the_same_each_time_and_small():
    first, again = list(make_million.files(200)), list(make_million.files(200))

    assert first == again
    assert len({name for name, _ in first}) == 200
    assert max(len(data) for _, data in first) <= 4400
    assert [name for name, _ in first if name.endswith(".png")] == [f"icon-{n:07d}.png" for n in range(0, 200, 50)]


def test_icons_decode(tmp_path):
    pixels = bytes(range(64))
    (tmp_path / "icon.png").write_bytes(make_million.icon(pixels))

    with Image.open(tmp_path / "icon.png") as picture:
        assert picture.size == (32, 2)
        assert picture.tobytes() == pixels
