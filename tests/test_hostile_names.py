"""Names that would act on a terminal, in every place where a command prints one."""

from __future__ import annotations

import io
import json
import os
import runpy
import subprocess
import sys
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from benchmarks.cli import main as benchmarks
from s3net_monai.cli import main
from s3net_monai.inference.dicomweb.server import TOKEN_VARIABLE
from tests.helpers.ct_series import SeriesMaker

# ESC and its C1 form, BEL, the end of a line and what a forged line would say, reversal of the direction
TEXT = "x\x1b[31m\x9b5m\x07\ns3net: forged\u202e"
NAME = TEXT + os.fsdecode(b"\xff")  # and a byte that is not UTF-8
SHOWN = r"x\x1b[31m\x9b5m\x07\ns3net: forged\u202e\udcff"
STUDY = "1.2.3"


@pytest.fixture
def place(tmp_path: Path, lung_bundle: Path) -> Path:
    """A folder with a sound volume, a toy bundle, an empty folder and files of hostile names."""
    hu = np.full((3, 3, 3), -900, np.int16)
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(hu, np.eye(4)), tmp_path / "in" / "a.nii.gz")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a_seg.png").write_bytes(b"never opened")
    (tmp_path / NAME).mkdir()
    (tmp_path / f"{NAME}.txt").write_text("{")
    lung_bundle.rename(tmp_path / "bundle")
    return tmp_path


@pytest.fixture
def words(place: Path) -> Callable[..., list[str]]:
    """The words of a run over the sound volume; those of the test replace what they name."""

    def of(*inputs: str, **options: str) -> list[str]:
        given = {"task": "lung", "bundle": "{place}/bundle", "output": "{place}/out", "workers": "0", **options}
        pairs = [word for name, value in given.items() for word in (f"--{name}", value)]
        given_inputs = inputs or ([] if "dicomweb" in options else ["{place}/in"])
        return [word.replace("{place}", str(place)) for word in ("segment", *given_inputs, *pairs)]

    return of


def acts_on_a_terminal(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def check_lines(text: str) -> list[str]:
    """Check that each line is printable and none is forged; progress bars return to the start of their line."""
    assert not acts_on_a_terminal(text.replace("\n", "").replace("\r", "")), repr(text)
    lines = text.replace("\r", "\n").splitlines()
    assert not any(line.startswith("s3net: forged") for line in lines), lines
    return lines


REFUSED = {
    "a missing input": ([f"{{place}}/{NAME}.nii"], {}),
    "a folder without images": ([f"{{place}}/{NAME}"], {}),
    "an output folder that is a file": ([], {"output": f"{{place}}/{NAME}.txt"}),
    "a folder below a file": ([], {"output": f"{{place}}/{NAME}.txt/out"}),
    "a key in the output": ([], {"output": f"{{place}}/{NAME}", "key": f"{{place}}/{NAME}/key.csv"}),
    "a key that is none": ([], {"key": f"{{place}}/{NAME}.txt"}),
    "rules that are missing": ([], {"select": f"{{place}}/{NAME}.json"}),
    "rules that are not JSON": ([], {"select": f"{{place}}/{NAME}.txt"}),
    "a bundle that is none": ([], {"bundle": f"{{place}}/{NAME}"}),
    "a checkpoint that is missing": ([], {"checkpoint": f"{{place}}/{NAME}.pt"}),
    "a checkpoint that is none": ([], {"checkpoint": f"{{place}}/{NAME}.txt"}),
    "an overlay that is missing": ([], {"config": f"{{place}}/{NAME}.json"}),
    "an overlay that is none": ([], {"config": f"{{place}}/{NAME}.txt"}),
    "a task": ([], {"task": NAME}),
    "a format": ([], {"formats": NAME}),
    "an irregularity": ([], {"allow": NAME}),
    "a device": ([], {"device": NAME}),
    "a study": ([], {"dicomweb": "http://127.0.0.1:9", "study": NAME}),
    "an address": ([], {"dicomweb": f"http://{NAME}", "study": STUDY}),
    "an option": ([], {NAME: "1"}),
    "an option with a value": ([], {f"{NAME}=2": "1"}),
    "a mode": ([], {"mode": NAME}),
    "a number": ([], {"workers": NAME}),
    "a shard": ([], {"shard": NAME}),
}


def exit_code(run: Callable[[list[str]], int], words: list[str]) -> int | str | None:
    try:
        return run(words)
    except SystemExit as ended:  # of argparse
        return ended.code


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_of_segment(name: str, words: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    inputs, options = REFUSED[name]
    assert exit_code(main, words(*inputs, **options)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    last = check_lines(printed.err)[-1]
    assert last.startswith(("s3net: error: ", "s3net segment: error: "))
    assert r"\x1b[31m" in last or name in ("an address", "a study")  # which are not repeated


OTHERS: dict[str, list[str]] = {
    "a command": [NAME],
    "predictions": ["evaluate", "--predictions", f"{{place}}/{NAME}.0", "--labels", "{place}/in"],
    "predictions without masks": ["evaluate", "--predictions", f"{{place}}/{NAME}", "--labels", "{place}/in"],
    "labels": ["evaluate", "--predictions", "{place}/masks", "--labels", f"{{place}}/{NAME}.0"],
    "a data set": ["prepare", NAME, "{place}/in", "{place}/out"],
    "a source": ["prepare", "ph2", f"{{place}}/{NAME}.0", "{place}/out"],
    "a source of another layout": ["prepare", "ph2", f"{{place}}/{NAME}", "{place}/out"],
    "a destination": ["prepare", "ph2", "{place}/in", f"{{place}}/{NAME}.txt"],
    "a phantom": ["phantom", NAME, "{place}/out"],
    "a folder of phantoms": ["phantom", "skin", f"{{place}}/{NAME}.txt"],
    "a task to export": ["export", NAME, "--output", "{place}/out"],
    "a bundle to export": ["export", "lung", "--bundle", f"{{place}}/{NAME}", "--output", "{place}/out"],
    "a folder of exports": ["export", "lung", "--bundle", "{place}/bundle", "--output", f"{{place}}/{NAME}.txt"],
}


@pytest.mark.parametrize("name", OTHERS)
def test_refusals_of_other_commands(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main, [word.replace("{place}", str(place)) for word in OTHERS[name]]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    last = check_lines(printed.err)[-1]
    assert "error: " in last
    assert r"\x1b[31m" in last


@pytest.mark.parametrize(
    "benchmark", [[NAME], ["skin", "--data", NAME], ["faults", "--rows", NAME], ["speed", f"--{NAME}"]]
)
def test_refusals_of_benchmarks(benchmark: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(benchmarks, [*benchmark, "--output", str(place / f"{NAME}.txt" / "a.json")]) == 2
    assert r"\x1b[31m" in check_lines(capsys.readouterr().err)[-1]


def test_refusals_of_the_served_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["served", str(place / f"{NAME}.txt")])
    monkeypatch.delitem(sys.modules, "s3net_monai.monailabel.served", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("s3net_monai.monailabel.served", run_name="__main__")
    assert ended.value.code == 2
    (line,) = check_lines(capsys.readouterr().err)
    assert SHOWN in line


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ({"conditions": {NAME: {"equals": 1}}}, "select"),
        ({"conditions": {"Modality": {NAME: 1}}}, "select"),
        ({"conditions": {"Modality": {"regex": f"({NAME}"}}}, "select"),
        ({"choose": NAME}, "select"),
        ({NAME: 1}, "select"),
        ({NAME: 1}, "config"),
        ({"network_def": f"${NAME}"}, "config"),
        ({"network_def": f"@{NAME}"}, "config"),
    ],
)
def test_what_files_of_a_user_say(
    content: dict[str, Any],
    options: str,
    place: Path,
    words: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "own.json").write_text(json.dumps(content))
    assert main(words(**{options: "{place}/own.json"})) == 2
    (line,) = check_lines(capsys.readouterr().err)
    assert line.startswith("s3net: error: ")


def test_a_run_over_hostile_files(
    place: Path, words: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place / NAME
    sound = (place / "in" / "a.nii.gz").read_bytes()
    (folder / f"{NAME}.nii.gz").write_bytes(sound)
    (folder / f"{NAME}b.nii.gz").write_bytes(b"broken")
    (folder / f"{NAME}_mask.nii.gz").write_bytes(b"never opened")
    with zipfile.ZipFile(folder / f"{NAME}.zip", "w") as archive:
        archive.writestr(f"{TEXT}/m.nii.gz", b"broken")
    (folder / f"{NAME}c.zip").write_bytes(b"broken")
    series = SeriesMaker(np.zeros((3, 4, 4), np.int16))
    for dataset in series.slices:
        dataset.SeriesDescription, dataset.BodyPartExamined = TEXT[:60], TEXT[:16]
    series.slices[1].RescaleSlope = None
    series.save(folder / f"{NAME}d")
    monkeypatch.setenv("S3NET_DICOMWEB_TOKEN", NAME)
    assert main(words(str(folder), output=f"{{place}}/out{NAME}")) == 1
    printed = capsys.readouterr()
    lines = check_lines(printed.err)
    failed = [line for line in lines if "failed: " in line]
    assert len(failed) >= 4
    assert all(line.count("b.nii.gz: ") <= 1 for line in failed)  # a case is named once
    (result,) = check_lines(printed.out)
    assert f"out{SHOWN}/report.html" in result
    report = (place / f"out{NAME}" / "report.json").read_text(encoding="ascii")
    assert not acts_on_a_terminal(report.replace("\n", ""))
    assert len(json.loads(report)["cases"]) >= 5
    page = (place / f"out{NAME}" / "report.html").read_text(encoding="utf-8")
    assert not acts_on_a_terminal(page.replace("\n", "").replace("\t", ""))


def test_a_table_of_hostile_names(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks, labels = place / NAME / "masks", place / NAME / "labels"
    masks.mkdir()
    labels.mkdir()
    for name in (NAME, "plain"):
        for path in (masks / f"{name}_seg.png", labels / f"{name}.png"):
            Image.fromarray(np.full((4, 5), 255, np.uint8)).save(path)
    (masks / f"{NAME}2_seg.png").write_bytes((masks / "plain_seg.png").read_bytes())
    (labels / f"{NAME}3.png").write_bytes((labels / "plain.png").read_bytes())
    (masks / f"{NAME}4_seg.png").write_bytes(b"broken")
    (labels / f"{NAME}4.png").write_bytes(b"broken")
    assert main(["evaluate", "--predictions", str(masks), "--labels", str(labels)]) == 1
    printed = capsys.readouterr()
    check_lines(printed.err)
    lines = check_lines(printed.out)
    columns = [line.index("1.0000") for line in lines if line.startswith((SHOWN, "plain"))]
    assert len(columns) == 2
    assert len(set(columns)) == 1
    assert f"no label for {SHOWN}2" in lines
    assert f"no prediction for {SHOWN}3" in lines
    assert any(line.startswith(f"not comparable: {SHOWN}4: ") for line in lines)


def test_problems_of_a_data_set(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = place / NAME / "ph2"
    for name in (f"images/IMD{NAME}1.jpg", f"masks/IMD{NAME}1.png", f"images/IMD{NAME}2.jpg"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"broken")
    (source / "PH2_dataset.txt").write_text("x")
    assert main(["prepare", "ph2", str(source), str(place / "out")]) == 2
    lines = check_lines(capsys.readouterr().err)
    first = next(index for index, line in enumerate(lines) if line.startswith("s3net: error: "))
    assert len(lines) - first - 1 == int(lines[first].split()[2])  # as many lines as problems
    assert all(line.startswith(str(place)) for line in lines[first + 1 :])


class _Hostile(BaseHTTPRequestHandler):
    """A server of the test, whose texts would act on a terminal."""

    def do_GET(self) -> None:
        if "redirect" in self.path:
            self.send_response(302, "Found\x1b[31m\x9b")
            self.send_header("Location", "http://evil\x1b[31m\x9b5m.example/")
        elif "refuse" in self.path:
            self.send_response(500, "Out of\x1b[31m\x9b order")
        else:
            self.send_response(200)
            self.send_header("Content-Type", "application/dicom+json")
        series = {"0020000E": {"vr": "UI", "Value": ["1.2.4"]}, "00080060": {"vr": "CS", "Value": [f"SR{TEXT}"]}}
        body = json.dumps([series]).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    web = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    web.server_close()


@pytest.mark.parametrize("path", ["redirect", "refuse", "series", f"series/{TEXT}"])
@pytest.mark.parametrize("token", ["", "secret\x1b[31m\n\x9b"])
def test_what_a_server_says(
    path: str,
    token: str,
    server: str,
    words: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    assert main(words(dicomweb=f"{server}/{path}", study=STUDY)) == 2
    last = check_lines(capsys.readouterr().err)[-1]
    assert last.startswith(f"s3net: error: {TOKEN_VARIABLE if token else server}")
    assert "secret" not in last


LETTERS = "Lungen \u00fc \u0416 \u60a3\u8005"


@pytest.fixture
def letters(place: Path, words: Callable[..., list[str]]) -> list[str]:
    """The words of a run whose folders and file have letters that ASCII lacks."""
    (place / LETTERS).mkdir()
    (place / "in" / "a.nii.gz").rename(place / LETTERS / f"{LETTERS}.nii.gz")
    return words(str(place / LETTERS), output=str(place / f"{LETTERS} out"))


def test_a_terminal_without_the_letters_of_a_path(letters: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, errors = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(errors, encoding="ascii"))
    assert main(letters) == 0
    assert rb"Lungen \xfc \u0416 \u60a3\u8005 out/report.html" in terminal.getvalue()
    assert rb"\u60a3" in errors.getvalue()


@pytest.mark.slow
def test_a_system_without_the_letters_of_a_path(letters: list[str]) -> None:
    settings = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment = {name: value for name, value in os.environ.items() if name != "LANG"} | settings
    done = subprocess.run(
        [sys.executable, "-m", "s3net_monai", *letters], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    # Python sees the bytes of which the letters consist.
    assert rb"\udce6\udc82\udca3\udce8\udc80\udc85 out/report.html" in done.stdout
    assert done.stdout.isascii()


def test_paths_for_scripts_are_those_of_the_system(place: Path) -> None:
    """In a pipe, even of an ASCII terminal, the path can be used; `info --json` is ASCII."""
    target = place / f"{LETTERS}{NAME}"
    run = [sys.executable, "-m", "s3net_monai"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = ["phantom", "skin", os.fsencode(target), "--shape", "64", "48"]
    done = subprocess.run([*run, *words], env=environment, capture_output=True, check=True)
    assert done.stdout == os.fsencode(target / "datalist.json") + b"\n"
