"""Reasons in words: no class name, no text of an allocator, no variable of a library."""

from __future__ import annotations

import errno
import json
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch

from data_prep.checks import check_cases
from s3net_monai.cli import main
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.readable import UnreadableCases
from s3net_monai.evaluation import evaluate
from s3net_monai.inference import load_bundle
from s3net_monai.io.archive import unpack
from s3net_monai.io.archive_limits import UnpackedTotal
from s3net_monai.io.dicom.dicomdir import read_dicomdir
from s3net_monai.io.dicom.files import read_header, read_image
from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.io.open_image_2d import check_image_2d
from s3net_monai.io.volume_reader import volume_places
from s3net_monai.utils.errors import CaseError, DataError, UsageError, UserError
from s3net_monai.utils.reasons import (
    NO_MEMORY,
    TRACEBACK,
    error_lines,
    in_words,
    is_out_of_memory,
    message_for_users,
    unexpected,
)
from tests.helpers.damage_oracle import UNNAMED

TOO_MANY = 2**50  # values: no machine has the memory


def caught(act: Callable[[], Any]) -> Exception:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("no error")


ALLOCATORS: dict[str, Callable[[], Any]] = {
    "numpy": lambda: np.empty(TOO_MANY),
    "torch": lambda: torch.empty(TOO_MANY),
    "python": lambda: bytearray(TOO_MANY * 8),
}
STUMBLES: dict[str, Callable[[], Any]] = {
    "a missing key": lambda: {}["dim"],
    "an index": lambda: [][1],
    "an attribute": lambda: None.shape,  # type: ignore[attr-defined]
    "a type": lambda: len(3),  # type: ignore[arg-type]
    "a number": lambda: int("a"),
    "a division": lambda: 1 // 0,
    "shapes": lambda: np.zeros(3) + np.zeros(4),
    "an unpacking": lambda: (lambda a, b: a)(*[1]),  # type: ignore[call-arg]
    "a struct": lambda: struct.unpack("<I", b""),
    "a stream": lambda: zlib.decompress(b"none"),
    "an encoding": lambda: b"\xff".decode("utf-8"),
    "an iterator": lambda: next(iter(())),
}


@pytest.mark.parametrize("name", ALLOCATORS)
def test_too_little_memory_is_said_in_words(name: str) -> None:
    error = caught(ALLOCATORS[name])
    assert is_out_of_memory(error)
    assert error_lines(error) == [NO_MEMORY]
    wrapped = RuntimeError("applying transform")
    wrapped.__cause__ = error
    assert error_lines(wrapped) == [NO_MEMORY]
    assert in_words(wrapped, "damaged", "copy it again") == NO_MEMORY


@pytest.mark.parametrize("name", STUMBLES)
def test_what_a_library_stumbles_over_is_no_reason(name: str) -> None:
    error = caught(STUMBLES[name])
    assert in_words(error, "damaged", "copy it again") == "damaged; copy it again"
    (line,) = error_lines(error)
    assert line.startswith("an unexpected error in ")
    assert not UNNAMED.search(line)


def test_what_a_library_says_about_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    error = nib.filebasedimages.ImageFileError(f"Cannot work out file type of {path}")  # type: ignore[attr-defined]
    assert in_words(error, "not readable", "copy it", path) == (
        "not readable (Cannot work out file type of a.nii); copy it"
    )
    assert in_words(PermissionError(errno.EACCES, "Permission denied", "a"), "not readable", "check it") == (
        "not readable (permission denied); check it"
    )


def test_messages_of_this_project_stay_whoever_raises_them_on() -> None:
    inner = DataError("two problems:", ["a: one", "b: two\nforged"])
    outer = RuntimeError("applying transform <monai.transforms.LoadImage object at 0x7f0123456789>")
    outer.__cause__ = inner
    assert message_for_users(outer) == ["two problems:", "a: one", "b: two\nforged"]
    assert str(inner) == "two problems:\na: one\nb: two\nforged"
    copy = pickle.loads(pickle.dumps(inner))
    assert (type(copy), copy.lines, str(copy)) == (DataError, inner.lines, str(inner))


def test_a_raise_of_this_project_is_for_users_and_its_mistakes_are_not() -> None:
    from s3net_monai.utils.geometry import is_invertible

    refused = caught(lambda: evaluate("no such folder", "none"))
    assert not isinstance(refused, UserError)
    assert error_lines(refused) == ["no such folder: no such folder of predictions; check the path"]
    mistake = caught(lambda: is_invertible("abc"))  # type: ignore[arg-type]
    assert message_for_users(mistake) is None


def test_the_system_has_its_remedies() -> None:
    error = caught(Path("/no/such/file").read_bytes)
    assert error_lines(error) == ["/no/such/file: no such file or folder; check the path"]


def test_a_gpu_that_does_not_work() -> None:
    error = RuntimeError("CUDA error: no kernel image is available for execution\nCompile with TORCH_USE_CUDA_DSA")
    assert error_lines(error) == [
        "the GPU does not work (CUDA error: no kernel image is available for execution); check its driver, or use "
        "--device cpu"
    ]


def test_a_developer_sees_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = caught(STUMBLES["a missing key"])
    line = unexpected(error)
    assert line == (
        "an unexpected error in tests; please report it with what S3NET_TRACEBACK=1 in the environment prints"
    )
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(TRACEBACK, "1")
    assert unexpected(error) == line
    assert "KeyError: 'dim'" in capsys.readouterr().err


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.nii.gz"
    nib.save(nib.Nifti1Image(np.full((3, 3, 3), -900, np.int16), np.eye(4)), path)
    return path


WAYS = {
    "read": "s3net_monai.inference.run.prefetch.read_case",
    "infer": "s3net_monai.inference.run.segment_loaded.infer_sample",
    "write": "s3net_monai.inference.run.outputs.write_mask",
}


@pytest.fixture
def words(volume: Path, lung_bundle: Path, tmp_path: Path) -> list[str]:
    task = ["--task", "lung", "--bundle", str(lung_bundle), "--workers", "0"]
    return ["segment", str(volume), *task, "--output", str(tmp_path / "out")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["torch", "numpy", "a missing key", "shapes"])
def test_reasons_of_a_case(
    way: str,
    kind: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    act = {**ALLOCATORS, **STUMBLES}[kind]
    monkeypatch.setattr(WAYS[way], lambda *_, **__: act())
    assert main(words) == 1
    (entry,) = json.loads((tmp_path / "out" / "report.json").read_text())["cases"]
    expected = "a.nii.gz: not enough memory" if kind in ALLOCATORS else "a.nii.gz: an unexpected error in "
    assert entry["reason"].startswith(expected)
    assert not UNNAMED.search(entry["reason"])
    assert "allocat" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["torch", "python", "a missing key", "shapes"])
def test_reasons_of_a_whole_run(
    kind: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    act = {**ALLOCATORS, **STUMBLES}[kind]
    monkeypatch.setattr("s3net_monai.inference.find_cases", lambda *_, **__: act())
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    expected = NO_MEMORY if kind in ALLOCATORS else "an unexpected error in tests; please report it"
    assert printed.startswith(f"s3net: error: {expected}")


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(UsageError) as refused:
        load_bundle("lung", root, torch.device("cpu"), **options)
    return str(refused.value)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("$[].pop()", "the bundle's configs cannot be used; correct or restore them"),
        ("$1 // 0", "the bundle's configs cannot be used; correct or restore them"),
        ("$torch.empty(2**50)", NO_MEMORY),
    ],
)
def test_a_config_that_cannot_be_used(network: str, reason: str, lung_bundle: Path) -> None:
    path = lung_bundle / "configs" / "inference.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "network_def": network}))
    assert refusal(lung_bundle) == f"{lung_bundle}: {reason}"


def test_what_monai_says_about_a_config_stays(lung_bundle: Path) -> None:
    path = lung_bundle / "configs" / "inference.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "network_def": "@nothing"}))
    reason = refusal(lung_bundle)
    assert reason.startswith(f"{lung_bundle}: the bundle's configs cannot be used (")
    assert "nothing" in reason


def test_a_mode_that_a_bundle_lacks(lung_bundle: Path) -> None:
    path = lung_bundle / "configs" / "inference.json"
    config = json.loads(path.read_text())
    del config["per_image_inferer"]
    path.write_text(json.dumps(config))
    expected = f"{lung_bundle}: no per_image_inferer in its configs, so no mode per-image; leave --mode out"
    assert refusal(lung_bundle, mode="per-image") == expected


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"0.weight": torch.zeros(2, 1, 1, 1, 1)}, "0.bias is missing, expected (2,)"),
        ({"0.weight": torch.zeros(3), "0.bias": torch.zeros(2)}, "0.weight is (3,), expected (2, 1, 1, 1, 1)"),
        ([1, 2], "it holds other things than the tensors of layers"),
    ],
)
def test_weights_of_another_network(content: Any, found: str, lung_bundle: Path, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "own.pt")
    reason = refusal(lung_bundle, checkpoint=tmp_path / "own.pt")
    assert reason.startswith(f"{tmp_path}/own.pt: weights do not fit network_def ({found}); give the model.pt of ")


def test_weights_on_a_small_machine(lung_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "load", lambda *_, **__: torch.empty(TOO_MANY))
    assert refusal(lung_bundle) == f"{lung_bundle}/models/model.pt: {NO_MEMORY}"


@pytest.mark.parametrize("name", ["metadata.json", "overlay.json"])
def test_json_in_another_encoding(name: str, lung_bundle: Path, tmp_path: Path) -> None:
    path = lung_bundle / "configs" / name
    path.write_bytes(b'{"name": "\xff"}')
    reason = refusal(lung_bundle, configs=[path] if name == "overlay.json" else [])
    assert "codec" not in reason
    assert reason.startswith(f"{path}: not ")


def test_a_data_set_on_a_small_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_prep.checks._decode", lambda _: np.empty(TOO_MANY))
    image = tmp_path / "a.png"
    with pytest.raises(DataError) as refused:
        check_cases([DatalistCase(case_id="a", patient="a", split="training", image=image)], 2)
    assert refused.value.lines[1] == f"{image}: {NO_MEMORY}"


def test_an_error_of_a_case_is_an_error_for_users() -> None:
    assert message_for_users(CaseError("a: damaged; copy it")) == ["a: damaged; copy it"]


def test_a_pair_of_masks_on_a_small_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("masks/a_seg.png", "labels/a.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"never opened")
    monkeypatch.setattr("s3net_monai.evaluation.evaluate_folders.read_label", lambda _: np.empty(TOO_MANY))
    assert evaluate(tmp_path / "masks", tmp_path / "labels").failed == {"a": NO_MEMORY}


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (ALLOCATORS["torch"], NO_MEMORY),
        (STUMBLES["a stream"], "damaged or cut off; copy it again"),
        (STUMBLES["shapes"], "the steps of the config cannot prepare it; look at it"),
    ],
)
def test_cases_of_a_training(act: Callable[[], Any], reason: str) -> None:
    unreadable = UnreadableCases()
    with unreadable.collect({"case_id": "a"}):
        act()
    assert unreadable.reasons == {"a": reason}


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "picture": ("PIL.Image.open", check_image_2d),
    "header of DICOM": ("s3net_monai.io.dicom.files.read_data_set", read_header),
    "DICOM": ("s3net_monai.io.dicom.files.read_data_set", read_image),
    "DICOMDIR": ("pydicom.dcmread", read_dicomdir),
    "archive": ("zipfile.ZipFile", lambda path: unpack(path, path.with_name("unpacked"), UnpackedTotal())),
    "label": ("s3net_monai.io.label_maps.read_label._read", read_label),
    "volume": ("SimpleITK.ImageFileReader.ReadImageInformation", volume_places),
}


@pytest.mark.parametrize(
    ("name", "allocator"),
    [
        *((name, "python") for name in READERS if name != "volume"),
        *((name, "torch") for name in READERS),  # a RuntimeError, as ITK raises for everything
    ],
)
def test_readers_tell_too_little_memory_from_damage(
    name: str, allocator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, read = READERS[name]
    path = tmp_path / "a.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((3, 3, 3), np.int16)), str(path))
    monkeypatch.setattr(function, lambda *_, **__: ALLOCATORS[allocator]())
    with pytest.raises(CaseError) as refused:
        read(path)
    assert str(refused.value) == f"a.mha: {NO_MEMORY}"
