"""The way to a terminal: no character of a name acts on it, and none ends a run."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s3net_monai.utils.console import closed_pipes_are_quiet
from s3net_monai.utils.messages import one_line, visible
from s3net_monai.utils.printing import (
    ArgumentParser,
    PrintingHandler,
    get_logger,
    make_log_visible,
    print_json,
    print_note,
    print_path,
    print_result,
    print_warnings,
    progress_bar,
)

# ESC, BEL, line ends, DEL, the C1 form of ESC [, reversal of the direction, separators, a byte that is not UTF-8
HOSTILE = "\x1b[2J\x07\r\n\x0b\x7f\x9b\x85\u202e\u2066\u200f\u2028\u2029\ufeff\udcff"
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates too


def acts_on_a_terminal(character: str) -> bool:
    """Written out by Unicode's categories, not by the rule of the module."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


@given(ANY_TEXT)
@example(HOSTILE)
@example("".join(map(chr, range(0x2100))))
def test_nothing_that_acts_on_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert not any(map(acts_on_a_terminal, shown))
    assert visible(shown) == shown
    assert not any(map(acts_on_a_terminal, one_line(text, limit=10**6)))
    assert one_line(one_line(text)) == one_line(text)


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))))
@example(r"C:\new folder\x1b")
@example("患者\u3000画像 Jürgen мозг رأس")
def test_what_people_read_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_every_character_is_shown_as_python_writes_it() -> None:
    assert visible("\x1b\x07\n\t\x9b\u202e\udcff") == r"\x1b\x07\n\t\x9b\u202e\udcff"


def test_one_line_counts_what_is_shown() -> None:
    assert one_line("a\n  b\x1b") == r"a b\x1b"
    assert one_line("\x1b" * 10, limit=9) == r"\x1b\x1b" + "…"


@given(st.lists(ANY_TEXT, max_size=3), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8"]))
@example(["ü\u0416\u60a3", HOSTILE], "ascii")
def test_every_line_is_one_line_in_every_encoding(lines: list[str], encoding: str) -> None:
    for name, write in (("stdout", print_result), ("stderr", print_note)):
        with pytest.MonkeyPatch.context() as patch:
            stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
            patch.setattr(sys, name, stream)
            write(*lines)
        shown = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]  # BytesIO
        assert shown.count("\n") == len(lines)
        assert not any(acts_on_a_terminal(character) for character in shown.replace("\n", ""))
        if encoding == "utf-8":
            assert shown == "".join(f"{visible(line)}\n" for line in lines)


@given(st.dictionaries(ANY_TEXT, ANY_TEXT))
@example({HOSTILE: HOSTILE})
def test_json_stays_json(value: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        patch.setattr(sys, "stdout", stream)
        print_json(value)
    shown = stream.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]  # BytesIO
    assert json.loads(shown) == value
    assert not any(acts_on_a_terminal(character) for character in shown.replace("\n", ""))


@pytest.fixture
def stdout(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], io.BytesIO]:
    """Replace standard output by an ASCII terminal, or an ASCII pipe."""

    def replace(is_terminal: bool) -> io.BytesIO:
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding="ascii")
        monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
        monkeypatch.setattr(sys, "stdout", stream)
        return written

    return replace


def test_a_script_gets_the_bytes_of_a_path(stdout: Callable[[bool], io.BytesIO]) -> None:
    name = b"\xff\xc3\xbc \x1b/datalist.json"
    written = stdout(False)
    print_path(Path(os.fsdecode(name)))
    assert written.getvalue() == name + b"\n"
    written = stdout(True)
    print_path(Path(os.fsdecode(name)))
    assert written.getvalue() == rb"\udcff\xfc \x1b/datalist.json" + b"\n"


def test_bars_and_lines_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress_bar([1, 2], HOSTILE, unit="case"):
        print_note(f"case {HOSTILE}")
        print_result("result")
    printed = capsys.readouterr()
    assert printed.out == "result\n" * 2
    shown = visible(HOSTILE)
    assert printed.err.count(f"case {shown}\n") == 2
    assert f"{shown}: " in printed.err
    assert not any(map(acts_on_a_terminal, printed.err.replace("\r", "").replace("\n", "").replace("\x1b[A", "")))


def test_records_of_this_package_are_one_line_for_every_handler() -> None:
    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), get_logger("s3net_monai.test_printing")
    assert get_logger("s3net_monai.test_printing").filters == logger.filters  # not added twice
    logger.addHandler(handler)
    try:
        logger.warning("%s: 100%% of %d", HOSTILE, 3)
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == f"{visible(HOSTILE)}: 100% of 3\n"


def test_records_and_warnings_of_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    logger, handler = logging.getLogger("a_library"), PrintingHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger.addHandler(handler)
    logger.error("cannot open %s", "a\x1b\nb")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        print_warnings()
        warnings.warn("odd value \x9b\nof a header", stacklevel=1)
    assert capsys.readouterr().err == ("ERROR: cannot open a\\x1b b\nUserWarning: odd value \\x9b of a header\n")


def test_records_of_libraries_on_handlers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, root = io.StringIO(), logging.Logger("root")
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    root.addHandler(logging.StreamHandler(stream))
    make_log_visible()
    try:
        raise KeyError("a") from ValueError(HOSTILE)
    except KeyError:
        root.exception("writing: %s", "a\x1b\nb")
    first, *traceback = stream.getvalue().split("\n")
    assert first == r"writing: a\x1b b"
    assert r"ValueError: \x1b[2J\x07\r" in traceback
    assert not any(acts_on_a_terminal(character) for line in traceback for character in line)


def test_a_parser_repeats_words_visibly(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser(prog="tool")
    parser.add_subparsers(required=True).add_parser("run").add_argument("--number", type=int)
    for words in ([HOSTILE], ["run", f"--{HOSTILE}"], ["run", "--number", HOSTILE]):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(words)
        assert ended.value.code == 2
        printed = capsys.readouterr().err
        assert not any(map(acts_on_a_terminal, printed.replace("\n", "")))
        assert printed.splitlines()[-1].startswith("tool")
        assert r"\x1b[2J" in printed


@pytest.mark.parametrize("folder", ["s3net_monai", "data_prep", "benchmarks", "scripts"])
def test_other_ways_to_a_terminal_are_refused(folder: str) -> None:
    ways = [
        "print('a')",
        "sys.stderr.write('a')",
        "sys.stdout.flush()",
        "warnings.warn('a', stacklevel=1)",
        "logging.getLogger('a')",
        "logging.StreamHandler()",
        "logging.warning('a')",
        "sys.__stderr__.write('a')",
        "argparse.ArgumentParser()",
        "traceback.print_exc()",
        "from tqdm import tqdm",
    ]
    source = "\n".join(["import argparse, logging, sys, traceback, warnings", *ways]) + "\n"
    words = ["ruff", "check", "--no-cache", "--output-format", "json", "--select", "T20,TID251"]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--stdin-filename", f"{folder}/new.py", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert {finding["location"]["row"] for finding in json.loads(done.stdout)} == set(range(2, 2 + len(ways)))


def test_a_path_into_a_closed_pipe_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with closed_pipes_are_quiet():
            print_path(Path("datalist.json"))
            print_result("more")
