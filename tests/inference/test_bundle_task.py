"""Classes, channels and modality as a bundle's own metadata state them, and bundles that do not match their task."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from colorsys import rgb_to_hsv
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from pydicom import dcmread

import s3net_monai
from benchmarks.faults.toy_bundle import toy_bundle
from s3net_monai.cli import main
from s3net_monai.inference import Settings, UsageError, find_cases, load_bundle, run_batch
from s3net_monai.inference.bundle_task import task_of_bundle
from s3net_monai.inference.class_count import output_channels
from s3net_monai.inference.export import export_bundle
from s3net_monai.labels import ANATOMICAL_STRUCTURE, TISSUE, distinct_colors
from s3net_monai.tasks import TASKS

CPU = torch.device("cpu")
ORGANS = ("pancreas", "kidney", "lung", "spleen")
HU = (-1000, -500, 0, 500, 1000)  # of background, pancreas, kidney, lung, spleen


def with_classes(root: Path, names: tuple[str, ...], *, classes: int | None = None) -> Path:
    """Give a toy lung bundle these class names, and a network whose class i is nearest to ``HU[i]``."""
    count = len(names) + 1 if classes is None else classes
    edit(
        root, "inference", network_def=f"$torch.nn.Sequential(torch.nn.Conv3d(1, {count}, 1), torch.nn.Softmax(dim=1))"
    )
    centers = torch.tensor(HU[:count], dtype=torch.float32) / 100
    state = {"0.weight": centers.reshape(-1, 1, 1, 1, 1) / 100, "0.bias": -centers.square() / 2}
    torch.save(state, root / "models" / "model.pt")
    channel_def = {str(index): name for index, name in enumerate(("background", *names))}
    describe(root, {"num_channels": len(channel_def), "channel_def": channel_def})
    return root


def edit(root: Path, name: str, **keys: Any) -> None:
    path = root / "configs" / f"{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def describe(root: Path, pred: Any = None, **image: Any) -> None:
    """Replace the output, and keys of the input, in the metadata of a bundle."""
    path = root / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    formats = metadata["network_data_format"]
    formats["outputs"] = {"pred": formats["outputs"]["pred"] if pred is None else pred}
    formats["inputs"]["image"].update(image)
    path.write_text(json.dumps(metadata))


@pytest.fixture
def organs(lung_bundle: Path) -> Path:
    return with_classes(lung_bundle, ORGANS)


@pytest.fixture
def scan(series_maker: Callable[..., Any], tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A DICOM series with 1, 2, 3 and 4 voxels of the four organs, and its mask (X, Y, Z)."""
    values = np.repeat([0, 1, 2, 3, 4], [50, 1, 2, 3, 4]).reshape(3, 4, 5).astype(np.uint8)  # (slices, rows, columns)
    hounsfield = np.asarray(HU)[values]
    folder = tmp_path / "in" / "ct"
    series_maker((hounsfield + 1024).astype(np.uint16)).save(folder)
    return folder, values.transpose(2, 1, 0)


def test_every_output_names_the_classes_of_the_bundle(
    organs: Path, scan: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    import highdicom
    import slicerio

    folder, mask = scan
    output = tmp_path / "out"
    formats = ("nifti", "png", "dicomseg", "dicomseg-labelmap", "segnrrd")
    bundle = load_bundle("lung", organs, CPU)
    report = run_batch(find_cases([folder]).cases, bundle, output, settings=Settings(formats=formats, workers=0))
    case = report.cases["ct"]
    assert case.status == "ok", case.reason
    np.testing.assert_array_equal(np.sort(np.unique(np.asarray(nib.load(output / "ct_seg.nii.gz").dataobj))), range(5))

    voxels = {name: case.measures["fraction"][name] * mask.size for name in ORGANS}
    assert voxels == pytest.approx({"pancreas": 1, "kidney": 2, "lung": 3, "spleen": 4}, abs=1e-3)
    assert set(case.measures["left_ml"]) == {"lung"}  # special measures by name, too

    table = (output / "labels.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in table[1:]] == [[str(i + 1), name] for i, name in enumerate(ORGANS)]
    assert table[3].endswith("SCT,123037004,Anatomical Structure,SCT,39607008,Lung")
    assert all(line.endswith("SCT,85756007,Tissue,SCT,85756007,Tissue") for line in (table[1], table[2], table[4]))

    for name in ("ct_seg.dcm", "ct_seg.labelmap.dcm"):
        segments = dcmread(output / name).SegmentSequence
        named = {int(s.SegmentNumber): str(s.SegmentLabel) for s in segments if int(s.SegmentNumber)}
        assert named == dict(enumerate(ORGANS, start=1))
        codes = {str(s.SegmentLabel): s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in segments}
        assert [codes[organ] for organ in ORGANS] == ["85756007", "85756007", "39607008", "85756007"]
    binary = highdicom.seg.segread(output / "ct_seg.dcm")
    assert binary.number_of_segments == 4

    segments = slicerio.read_segmentation(str(output / "ct_seg.seg.nrrd"))["segments"]
    assert [segment["name"] for segment in segments] == list(ORGANS)
    assert segments[0]["terminology"]["type"] == ["SCT", "85756007", "Tissue"]

    stored = json.loads((output / "report.json").read_text())
    assert [label["name"] for label in stored["labels"]] == list(ORGANS)
    page = (output / "report.html").read_text()
    assert all(f"</svg> {organ}" in page for organ in ORGANS)


def test_python_names_the_classes_of_the_bundle(organs: Path, scan: tuple[Path, np.ndarray]) -> None:
    result = s3net_monai.segment(scan[0], task="lung", bundle=organs, device="cpu")
    assert result.labels == {"pancreas": 1, "kidney": 2, "lung": 3, "spleen": 4}
    assert np.bincount(result.mask.ravel()).tolist() == [50, 1, 2, 3, 4]


def test_a_2d_mask_of_several_classes_has_a_label_table(organs: Path, tmp_path: Path) -> None:
    Image.new("L", (4, 3), 0).save(tmp_path / "a.png")
    bundle = load_bundle("lung", organs, CPU)
    report = run_batch(find_cases([tmp_path / "a.png"]).cases, bundle, tmp_path / "out", settings=Settings(workers=0))
    assert report.cases["a"].outputs == {"png": "a_seg.png", "preview": "a_preview.jpg"}
    assert "spleen" in (tmp_path / "out" / "labels.csv").read_text()


def test_other_class_names_are_another_configuration(
    organs: Path, scan: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    """The names are in the masks, so that a mask with the old ones is not left as it is, nor the table."""
    cases = find_cases([scan[0]]).cases
    settings = Settings(workers=0, resume=True)
    run_batch(cases, load_bundle("lung", organs, CPU), tmp_path / "out", settings=settings)
    with_classes(organs, ("pancreas", "kidney", "lung", "stomach"))
    report = run_batch(cases, load_bundle("lung", organs, CPU), tmp_path / "out", settings=settings)
    assert report.count("ok") == 1
    assert "stomach" in (tmp_path / "out" / "labels.csv").read_text()


@pytest.mark.parametrize("task", ["lung", "skin", "cardiac"])
def test_the_released_bundles_keep_the_labels_of_the_registry(task: str) -> None:
    root = s3net_monai.inference.bundle_root(task)
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    assert task_of_bundle(TASKS[task], metadata, root) == TASKS[task]
    network = load_bundle(task, root, CPU).network
    assert output_channels(network, TASKS[task].channels, metadata) == len(TASKS[task].labels) + 1


def test_names_match_whatever_their_case(lung_bundle: Path) -> None:
    describe(lung_bundle, {"channel_def": {"0": "Background", "1": "Lung"}})
    task = load_bundle("lung", lung_bundle, CPU).task
    assert task.labels[0].name == "Lung"
    assert task.labels[0].type.value == "39607008"
    assert task.special_measures == {"Lung": ("lung_sides",)}


def test_a_name_of_another_task_is_not_its_code(lung_bundle: Path) -> None:
    """A lesion in CT is no skin lesion."""
    describe(lung_bundle, {"channel_def": {"0": "background", "1": "lesion"}})
    assert load_bundle("lung", lung_bundle, CPU).task.labels[0].type == TISSUE
    assert TASKS["lung"].labels[0].category == ANATOMICAL_STRUCTURE


def test_channels_and_modality_are_those_of_the_metadata(lung_bundle: Path) -> None:
    edit(lung_bundle, "inference", network_def="$torch.nn.Sequential(torch.nn.Conv3d(2, 2, 1))")
    torch.save({"0.weight": torch.zeros(2, 2, 1, 1, 1), "0.bias": torch.zeros(2)}, lung_bundle / "models" / "model.pt")
    describe(lung_bundle, num_channels=2, modality="PT")
    task = load_bundle("lung", lung_bundle, CPU).task
    assert (task.channels, task.modality) == (2, "PT")


# Refusals


def refusal(task: str, root: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load_bundle(task, root, CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("names", [ORGANS[:3], (*ORGANS, "liver")])
def test_a_bundle_that_does_not_name_every_class_is_refused(lung_bundle: Path, names: tuple[str, ...]) -> None:
    with_classes(lung_bundle, names, classes=5)
    message = refusal("lung", lung_bundle)
    assert f"the network has 5 output channels, channel_def names {len(names) + 1} (background, pancreas" in message
    assert message.endswith("name every class in channel_def")


def test_a_network_that_takes_any_size_is_asked(lung_bundle: Path) -> None:
    with_classes(lung_bundle, ORGANS[:3], classes=5)
    describe(lung_bundle, spatial_shape=["*", "*", "*"])
    assert "the network has 5 output channels, channel_def names 4" in refusal("lung", lung_bundle)


def test_a_network_that_cannot_be_asked_is_checked_at_its_first_image(
    lung_bundle: Path, scan: tuple[Path, np.ndarray]
) -> None:
    with_classes(lung_bundle, ORGANS[:3], classes=5)
    describe(lung_bundle, spatial_shape=["any", "any", "any"])
    bundle = load_bundle("lung", lung_bundle, CPU)
    with pytest.raises(s3net_monai.utils.errors.CaseError, match="5 output channels, channel_def names 4"):
        s3net_monai.segment(scan[0], bundle=bundle)


@pytest.mark.parametrize(
    ("channel_def", "problem"),
    [
        (None, "no channel_def"),
        ({}, "no channel_def"),
        ({"0": "background", "2": "lung"}, "has the keys 0, 2, 0 to N expected"),
        ({"0": "lung", "1": "background"}, "channel 0 is named 'lung', 'background' expected"),
        ({"0": "background", "1": "lung", "2": "Lung"}, "names a class twice"),
        ({"0": "background", "1": " "}, "channel 1 is named ' '"),
        ({"0": "background", "1": 7}, "channel 1 is named 7"),
        ({"0": "background", "1": "a\\b"}, "channel 1 is named"),
        ({"0": "background", "1": "x" * 65}, "1 to 64 characters expected"),
        ({"0": "background"}, "1 channels named"),
    ],
)
def test_class_names_that_no_file_can_carry_are_refused(lung_bundle: Path, channel_def: Any, problem: str) -> None:
    describe(lung_bundle, {"channel_def": channel_def})
    assert problem in refusal("lung", lung_bundle)


def test_metadata_that_contradict_themselves_are_refused(lung_bundle: Path) -> None:
    describe(lung_bundle, {"num_channels": 3, "channel_def": {"0": "background", "1": "lung"}})
    assert "states 3 channels and names 2" in refusal("lung", lung_bundle)
    describe(lung_bundle, num_channels="two")
    assert "num_channels is 'two'" in refusal("lung", lung_bundle)


@pytest.mark.parametrize("metadata", ["[]", "{}", '{"network_data_format": []}'])
def test_metadata_without_a_data_format_are_refused(lung_bundle: Path, metadata: str) -> None:
    (lung_bundle / "configs" / "metadata.json").write_text(metadata)
    assert "no 'network_data_format' in the description of the network's data" in refusal("lung", lung_bundle)


def test_the_bundle_of_another_task_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skin = toy_bundle(tmp_path / "skin", "skin")
    describe(skin, {"channel_def": {"0": "background", "1": "nevus"}}, modality="dermoscopy")
    assert "task lung is for CT (lung); give --task skin" in refusal("lung", skin)
    heart = s3net_monai.inference.bundle_root("cardiac")
    assert "a bundle for MR (RV, MYO, LV), task lung is for CT (lung); give --task cardiac" in refusal("lung", heart)
    assert "give --task lung" in refusal("skin", s3net_monai.inference.bundle_root("lung"))
    with pytest.raises(UsageError, match="give --task skin"):
        export_bundle("cardiac", skin, tmp_path / "out")
    Image.new("L", (4, 3)).save(tmp_path / "a.png")
    words = [
        "segment",
        str(tmp_path / "a.png"),
        "--task",
        "lung",
        "--bundle",
        str(skin),
        "--output",
        str(tmp_path / "o"),
    ]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_a_bundle_of_ones_own_for_another_modality_is_taken_with_a_word(
    lung_bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no task for the abdomen: any task of volumes must do."""
    describe(lung_bundle, {"channel_def": {"0": "background", "1": "liver"}}, modality="CT")
    with caplog.at_level(logging.WARNING):
        assert [label.name for label in load_bundle("cardiac", lung_bundle, CPU).task.labels] == ["liver"]
    assert "is for CT, --task cardiac for MR: look at the previews" in caplog.text


# Colors


def test_colors_differ_in_hue_from_each_other_and_from_those_taken() -> None:
    green = (128, 174, 128)
    colors = distinct_colors(5, [green])
    hues = sorted(rgb_to_hsv(*(part / 255 for part in rgb))[0] for rgb in (green, *colors))
    gaps = np.diff([*hues, hues[0] + 1])
    assert gaps.min() > 0.1
    assert distinct_colors(5, [green]) == colors
    assert len(set(distinct_colors(60))) == 60
