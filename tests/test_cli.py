"""The command line: exit codes, one-line errors, output streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from s3net_monai.cli import main


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    hu = np.zeros((3, 3, 3), dtype=np.int16)
    hu[0] = -900
    path = tmp_path / "in" / "a.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(hu, np.eye(4)), path)
    return path


def segment(*arguments: object, task: str = "lung") -> int:
    return main(["segment", *map(str, arguments), "--task", task])


def test_segment_then_evaluate(
    volume: Path, lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, labels = tmp_path / "out", tmp_path / "labels"
    assert segment(volume, "--output", output, "--bundle", lung_bundle, "--device", "cpu") == 0
    assert "1 ok, 0 failed, 0 skipped" in capsys.readouterr().out
    labels.mkdir()
    truth = np.zeros((3, 3, 3), dtype=np.uint8)
    truth[0] = 1
    nib.save(nib.Nifti1Image(truth, np.eye(4)), labels / "a.nii.gz")
    scores = tmp_path / "scores.json"
    command = ["evaluate", "--predictions", str(output), "--labels", str(labels), "--output", str(scores)]
    assert main(command) == 0
    assert json.loads(scores.read_text())["summary"]["dice"]["mean"] == 1.0
    (labels / "b.nii.gz").write_bytes((labels / "a.nii.gz").read_bytes())
    assert main(command) == 1


def test_one_bad_case_among_others_is_exit_code_one(volume: Path, lung_bundle: Path, tmp_path: Path) -> None:
    (volume.parent / "b.nii.gz").write_bytes(b"broken")
    missing = tmp_path / "gone.nii.gz"
    assert segment(volume.parent, missing, "--output", tmp_path / "out", "--bundle", lung_bundle) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {case["case_id"]: case["status"] for case in report["cases"]} == {"a": "ok", "b": "failed", "gone": "failed"}
    assert "no such file" in report["cases"][2]["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/gone", "--output", "{tmp}/o"], "gone: no such file"),
        (["{tmp}/empty", "--output", "{tmp}/o"], "empty: no image found"),
        (["{volume}", "--output", "{tmp}/o", "--formats", "nifti,jpeg"], "format 'jpeg' is not known"),
        (["{volume}", "--output", "{tmp}/o", "--device", "tpu"], "device 'tpu' is not known"),
        (["{volume}", "--output", "{tmp}/o", "--bundle", "{tmp}/empty"], "no bundle there"),
        (["{volume}", "--output", "{volume}"], "a.nii.gz"),
    ],
)
def test_unusable_requests_are_one_line_and_exit_code_two(
    arguments: list[str],
    message: str,
    volume: Path,
    lung_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    given = [argument.format(tmp=tmp_path, volume=volume) for argument in arguments]
    if "--bundle" not in given:
        given += ["--bundle", str(lung_bundle)]
    assert segment(*given) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_unknown_task_is_exit_code_two(volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segment(volume, "--output", tmp_path / "o", task="liver") == 2
    assert "task 'liver' is not known; give one of lung, skin" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["segment"],
        ["segment", "x", "--task", "lung", "--output", "o", "--shard", "3/2"],
        ["segment", "x", "--task", "lung", "--output", "o", "--workers", "-1"],
    ],
)
def test_argparse_errors_are_exit_code_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("command", ["segment", "evaluate", "prepare", "phantom", "export", "info"])
def test_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"example: s3net {command}" in capsys.readouterr().out


def test_info_as_json_is_all_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["tasks"]["lung"]["labels"] == {"lung": 1}
    assert info["formats"]["nifti"] == ".nii.gz"
    assert main(["info"]) == 0
    assert "task skin: lesion" in capsys.readouterr().out


def test_skin_pictures(skin_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pixels = np.zeros((4, 7, 3), dtype=np.uint8)
    pixels[1, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    assert segment(tmp_path / "in", "--output", tmp_path / "o", "--bundle", skin_bundle, task="skin") == 0
    assert np.argwhere(np.asarray(Image.open(tmp_path / "o" / "a_seg.png")) == 255).tolist() == [[1, 2]]


def test_phantom_and_prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phantom", "skin", str(tmp_path / "p"), "--count", "1", "--shape", "64", "48"]) == 0
    assert Path(capsys.readouterr().out.strip()).name == "datalist.json"
    assert main(["prepare", "nothing", str(tmp_path), str(tmp_path / "d")]) == 2
    assert "ph2" in capsys.readouterr().err


def test_module_runs_like_the_command(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "s3net_monai", "segment", "gone", "--task", "lung", "--output", "o"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},  # without folders of killed runs, which would be named
    )
    assert result.returncode == 2
    assert result.stderr == "s3net: error: gone: no such file or folder; check the path\n"


def test_weights_and_overlays_of_ones_own(volume: Path, lung_bundle: Path, tmp_path: Path) -> None:
    state = torch.load(lung_bundle / "models" / "model.pt", weights_only=True)
    torch.save({**state, "0.bias": torch.tensor([0.0, 1000.0])}, tmp_path / "mine.pt")
    common = (volume, "--bundle", lung_bundle, "--device", "cpu")
    assert segment(*common, "--output", tmp_path / "out", "--checkpoint", tmp_path / "mine.pt") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["cases"][0]["measures"]["volume_ml"] == 27 / 1000  # all voxels; the bundle's own weights give 9
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / report["cases"][0]["outputs"]["preview"]).is_file()

    overlay = tmp_path / "two_layers.json"
    layers = "torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.Identity(), torch.nn.Softmax(dim=1))"
    overlay.write_text(json.dumps({"network_def": f"${layers}"}))
    assert segment(*common, "--output", tmp_path / "two", "--config", overlay) == 0
    two = json.loads((tmp_path / "two" / "report.json").read_text())
    assert two["cases"][0]["measures"]["volume_ml"] == 9 / 1000
    assert two["model"]["config_sha256"] != report["model"]["config_sha256"]


def test_weights_that_are_absent_or_do_not_fit_are_refused(
    volume: Path, lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (volume, "--bundle", lung_bundle, "--device", "cpu", "--output", tmp_path / "out")
    assert segment(*common, "--checkpoint", tmp_path / "absent.pt") == 2
    assert "absent.pt: no such checkpoint; check the path" in capsys.readouterr().err
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    assert segment(*common, "--checkpoint", tmp_path / "other.pt") == 2
    assert "other.pt: weights do not fit network_def" in capsys.readouterr().err
    assert segment(*common, "--config", tmp_path / "absent.json") == 2
    assert "absent.json: no such config; check the path" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_broken_package_costs_its_own_command_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = EntryPoint(name="broken", value="no_such_package:COMMAND", group="s3net_monai.commands")
    monkeypatch.setattr("s3net_monai.cli.entry_points", lambda group: [broken])
    assert main(["info"]) == 0
    assert "s3net: command broken cannot be loaded (No module named 'no_such_package')" in capsys.readouterr().err


def test_labels_beside_images_are_passed_over_and_counted(
    volume: Path, lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a_Mask.nii.gz", "labels/a.nii.gz"):
        (volume.parent / name).parent.mkdir(exist_ok=True)
        (volume.parent / name).write_bytes(b"never opened")
    assert segment(volume.parent, "--output", tmp_path / "out", "--bundle", lung_bundle, "--device", "cpu") == 0
    printed = capsys.readouterr()
    assert "1 ok, 0 failed, 0 skipped" in printed.out
    assert "2 masks or labels by name (_mask, folder labels) were passed over; name a file to segment it" in printed.err
