"""Short-axis MR from file to mask by the steps of the released bundle, with a network set by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch
from monai.inferers import SliceInferer
from PIL import Image
from pydicom.uid import generate_uid

import s3net_monai
from s3net_monai.cli import main
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.evaluation.masks import on_one_grid
from s3net_monai.inference.dicomweb.search import SeriesOnServer, choose_series
from s3net_monai.inference.info import describe, format_info
from s3net_monai.inference.report.measures import measures, spacing_notes
from s3net_monai.inference.report.previews import preview
from s3net_monai.inference.run.memory import with_smaller_windows
from s3net_monai.io import CaseError
from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.tasks import TASKS
from tests.helpers import cine_mr
from tests.helpers.paths import CARDIAC_BUNDLE

RELEASED = CARDIAC_BUNDLE
LEVELS = (0, 100, 200, 300)
# Axes of 1.25, 1.2 and 8.5 mm at right angles, none of them along an axis of the patient.
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array([[-0.96, 0, 0.28], [0.168, -0.8, 0.576], [0.224, 0.6, 0.768]]) @ np.diag([1.25, 1.2, 8.5])
AFFINE[:3, 3] = (50, 20, -10)


def heart() -> tuple[np.ndarray, np.ndarray]:
    """Return gray levels (24, 20, 5) and their mask; the image also has a stray spot of every class."""
    mask = np.zeros((24, 20, 5), np.uint8)
    mask[3:8, 3:16, :] = 1
    mask[9:20, 4:16, :] = 2
    mask[12:17, 7:13, :] = 3
    image = np.take(LEVELS, mask).astype(np.int16)
    for label in (1, 2, 3):
        image[22, 4 * label, label] = LEVELS[label]
    return image, mask


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The released bundle with a network that classifies voxels by the nearest of four gray levels."""
    root = tmp_path / RELEASED.name
    shutil.copytree(RELEASED, root, ignore=shutil.ignore_patterns("*.pt"))
    config = json.loads((root / "configs" / "inference.json").read_text())
    config["network_def"] = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 1}
    # Copies are not rotated and nothing is cropped or resized, so that every voxel keeps its gray level.
    config["inferer"]["angles_and_zooms"] = [[0, 1], [0, 1]]
    config["field_of_view"] = config["spatial_size"] = [24, 20]
    config["resample_in_plane"] = False
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    scaled = heart()[0] / 300.0
    levels = torch.tensor([(level / 300 - scaled.mean()) / scaled.std() for level in LEVELS], dtype=torch.float32)
    (root / "models").mkdir(exist_ok=True)
    state = {"weight": 2 * levels[:, None, None, None], "bias": -(levels**2)}
    torch.save(state, root / "models" / "model.pt")
    return root


@pytest.fixture
def segment(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the command and return the entries of the report by case."""

    def run(*paths: Path, formats: str = "nifti", code: int = 0) -> dict[str, Any]:
        words = ["segment", *map(str, paths), "--task", "cardiac", "--bundle", str(bundle), "--device", "cpu"]
        words += ["--output", str(tmp_path / "out"), "--workers", "0", *(["--formats", formats] if formats else [])]
        assert main(words) == code
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        return {case["case_id"]: case for case in report["cases"]}

    return run


def test_volumes_of_every_format_and_scale(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    image, mask = heart()
    nib.save(nib.Nifti1Image(image, AFFINE), tmp_path / "plain.nii.gz")
    nib.save(nib.Nifti1Image((image / 300).astype(np.float32), AFFINE), tmp_path / "float.nii")
    empty = (image / 300).astype(np.float32)
    empty[0, 0, 0] = np.nan  # outside the coil's field of view
    nib.save(nib.Nifti1Image(empty, AFFINE), tmp_path / "empty.nii.gz")
    nib.save(nib.Nifti1Image(image[..., None], AFFINE), tmp_path / "four.nii.gz")
    volume = SimpleITK.GetImageFromArray(image.transpose(2, 1, 0))
    volume.SetSpacing((1.5, 1.4, 8.0))
    for name in ("a.nrrd", "b.mha"):
        SimpleITK.WriteImage(volume, str(tmp_path / name))
    names = ["plain.nii.gz", "float.nii", "empty.nii.gz", "four.nii.gz", "a.nrrd", "b.mha"]
    cases = segment(*(tmp_path / name for name in names))
    assert len(cases) == len(names)
    for case_id, case in cases.items():
        assert case["status"] == "ok", case["reason"]
        stored = nib.load(tmp_path / "out" / f"{case_id}_seg.nii.gz")
        np.testing.assert_array_equal(np.asarray(stored.dataobj), mask, case_id)
        assert case["consistency"] == 1.0
        assert case["notes"] == []
        assert case["warnings"] == (
            ["non-finite voxels (NaN or infinite) were read as background: 1 (0.042 %)"] if case_id == "empty" else []
        )
    np.testing.assert_allclose(nib.load(tmp_path / "out" / "plain_seg.nii.gz").affine, AFFINE, atol=1e-5)
    voxel = abs(np.linalg.det(AFFINE[:3, :3])) / 1000
    counts = {label.name: int((mask == label.value).sum()) for label in TASKS["cardiac"].labels}
    values = cases["plain"]["measures"]
    assert values["volume_ml"] == pytest.approx({name: count * voxel for name, count in counts.items()}, abs=1e-3)
    assert set(values) == {"volume_ml", "fraction"}, "no Hounsfield values"
    for case_id in ("plain", "float"):
        shown = np.asarray(Image.open(tmp_path / "out" / f"{case_id}_preview.jpg"))
        assert len(np.unique(shown)) > 50, "gray values of any scale are visible"


def test_masks_are_empty_outside_the_field_of_view(
    segment: Callable[..., dict[str, Any]], bundle: Path, tmp_path: Path
) -> None:
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    config["field_of_view"] = config["spatial_size"] = [20, 8]
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    nib.save(nib.Nifti1Image(heart()[0], AFFINE), tmp_path / "a.nii.gz")
    segment(tmp_path / "a.nii.gz")
    mask = np.asarray(nib.load(tmp_path / "out" / "a_seg.nii.gz").dataobj)
    inside = np.zeros(mask.shape, bool)
    inside[2:22, 6:14] = True  # the middle
    assert mask[inside].any()
    assert not mask[~inside].any()


def test_labels_beside_their_images_are_not_cases(
    segment: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels as in ACDC's folders and in its flat export; one without its image counts by those beside it."""
    image, mask = heart()
    (tmp_path / "in").mkdir()
    for name in ("p1_frame01_image", "p2_frame01", "p3_frame01_image_label"):
        nib.save(nib.Nifti1Image(image, AFFINE), tmp_path / "in" / f"{name}.nii.gz")
    for name in ("p1_frame01_label", "p2_frame01_gt"):
        nib.save(nib.Nifti1Image(mask, AFFINE), tmp_path / "in" / f"{name}.nii.gz")
    assert set(segment(tmp_path / "in")) == {"p1_frame01_image", "p2_frame01"}
    assert "3 masks or labels by name (_gt, _label) were passed over" in capsys.readouterr().err
    for path in tmp_path.glob("*/p3*.nii.gz"):
        path.unlink()
    words = ["evaluate", "--predictions", str(tmp_path / "out"), "--labels", str(tmp_path / "in")]
    assert main([*words, "--output", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())["cases"]
    assert [(score["case_id"], score["dice"]) for score in scores] == [("p1_frame01_image", 1.0), ("p2_frame01", 1.0)]


def test_slices_as_2d_images_and_slicer_segmentations(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    image, mask = heart()
    Image.fromarray((image[..., 0] * 0.85).astype(np.uint8).T).save(tmp_path / "slice.png")
    nib.save(nib.Nifti1Image(image, AFFINE), tmp_path / "stack.nii.gz")
    cases = segment(tmp_path / "slice.png", tmp_path / "stack.nii.gz", formats="png,segnrrd")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "slice_seg.png")).T, mask[..., 0])
    assert cases["slice"]["measures"]["area_px"] == {"RV": 65, "MYO": 102, "LV": 30}
    assert "a PNG holds one slice, the mask has 5" in cases["stack"]["notes"][0]
    stored = SimpleITK.ReadImage(str(tmp_path / "out" / "stack_seg.seg.nrrd"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(stored).transpose(2, 1, 0), mask)
    names = {stored.GetMetaData(f"Segment{index}_Name") for index in range(3)}
    assert names == {"RV", "MYO", "LV"}


def test_a_volume_of_several_phases_is_refused(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    image, _ = heart()
    nib.save(nib.Nifti1Image(np.stack([image] * 3, axis=-1), AFFINE), tmp_path / "cine.nii.gz")
    cases = segment(tmp_path / "cine.nii.gz", code=1)
    assert cases["cine"]["reason"] == (
        "cine.nii.gz: shape 24x20x5x3 has several channels or frames, one 3-D volume expected; save the one you want "
        "as a file"
    )
    assert not list((tmp_path / "out").glob("*_seg.*"))


def beating_heart() -> tuple[np.ndarray, np.ndarray]:
    """Return stored values and masks (phases, slices, rows, columns) of a heart that moves along its rows."""
    image, mask = heart()
    stored = [np.roll(image, shift, axis=1).transpose(2, 1, 0) for shift in (0, 1, 3)]
    masks = [np.roll(mask, shift, axis=1).transpose(2, 1, 0) for shift in (0, 1, 3)]
    return np.array(stored, np.uint16), np.array(masks)


@pytest.mark.parametrize("is_enhanced", [False, True])
def test_every_phase_of_a_cine_series_is_a_case(
    segment: Callable[..., dict[str, Any]], tmp_path: Path, is_enhanced: bool
) -> None:
    stored, masks = beating_heart()
    datasets = [cine_mr.enhanced_cine(stored)] if is_enhanced else cine_mr.cine_slices(stored)
    folder = cine_mr.save(datasets, tmp_path / "sax")
    cases = segment(folder, formats="nifti,dicomseg,dicomseg-labelmap,segnrrd")
    assert list(cases) == ["sax_phase1", "sax_phase2", "sax_phase3"]
    times = [0, 40, 80] if is_enhanced else [0, 42, 84]
    for number, (case_id, case) in enumerate(cases.items(), start=1):
        assert case["status"] == "ok", case["reason"]
        assert case["warnings"] == case["notes"] == []
        assert case["selection"] == f"phase {number} of 3, {times[number - 1]} ms after the R wave"
        expected = masks[number - 1].transpose(2, 1, 0)
        nifti = nib.load(tmp_path / "out" / f"{case_id}_seg.nii.gz")
        np.testing.assert_array_equal(np.asarray(nifti.dataobj), expected)
        np.testing.assert_allclose(nifti.affine, cine_mr.affine(), atol=1e-4)
        stored_mask = read_label(tmp_path / "out" / f"{case_id}_seg.nii.gz")
        for suffix in (".dcm", ".labelmap.dcm", ".seg.nrrd"):
            pair = on_one_grid(read_label(tmp_path / "out" / f"{case_id}_seg{suffix}"), stored_mask)
            np.testing.assert_array_equal(pair.prediction, pair.truth, err_msg=suffix)
        frames = hd.seg.segread(tmp_path / "out" / f"{case_id}_seg.dcm")
        sources = {
            (item.ReferencedSOPInstanceUID, int(item.get("ReferencedFrameNumber", 0)))
            for frame in frames.PerFrameFunctionalGroupsSequence
            for item in frame.DerivationImageSequence[0].SourceImageSequence
        }
        if is_enhanced:  # frames count all phases of a slice first
            uid = datasets[0].SOPInstanceUID
            assert sources == {(uid, slice_ * 3 + number) for slice_ in range(5)}
        else:
            of_phase = datasets[(number - 1) * 5 : number * 5]
            assert sources == {(dataset.SOPInstanceUID, 0) for dataset in of_phase}


def test_python_names_a_phase(bundle: Path, tmp_path: Path) -> None:
    stored, masks = beating_heart()
    loaded = s3net_monai.load_bundle("cardiac", bundle=bundle, device="cpu")
    folder = cine_mr.save(cine_mr.cine_slices(stored), tmp_path / "sax")
    result = s3net_monai.segment(f"{folder}#phase=3", bundle=loaded)
    np.testing.assert_array_equal(result.mask, masks[2].transpose(2, 1, 0))
    with pytest.raises(CaseError, match=r"sax: 3 phases found, one expected; give '.*sax#phase=1', or use"):
        s3net_monai.segment(folder, bundle=loaded)
    with pytest.raises(CaseError, match=r"sax#phase=4: 0 phases found, one expected; give '.*sax#phase=1'"):
        s3net_monai.segment(f"{folder}#phase=4", bundle=loaded)


def test_the_cine_stack_of_a_study_is_selected(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    stored, _ = beating_heart()
    study = generate_uid()
    series = {
        "localizer": cine_mr.cine_slices(stored[:1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "four_chamber": cine_mr.cine_slices(np.repeat(stored, 5, axis=0)[:, :1], SeriesDescription="4ch"),
        "late": cine_mr.cine_slices(np.concatenate([stored[:1]] * 2, axis=1), SeriesDescription="LGE"),
        "sax": cine_mr.cine_slices(stored, SeriesDescription="cine sax"),
    }
    for number, (name, datasets) in enumerate(series.items(), start=1):
        for dataset in datasets:
            dataset.StudyInstanceUID, dataset.SeriesNumber = study, number
        cine_mr.save(datasets, tmp_path / "study" / name)
    cases = segment(tmp_path / "study")
    assert list(cases) == ["sax_phase1", "sax_phase2", "sax_phase3"]
    assert cases["sax_phase2"]["selection"] == (
        "series 4 (cine sax) of 5 slices, selected from 4 series of its study: satisfies 'primary cine stack of MR'; "
        "phase 2 of 3, 42 ms after the R wave"
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {entry["reason"] for entry in report["excluded"]} == {
        "ImageType is ORIGINAL, PRIMARY, LOCALIZER, not in LOCALIZER, SCOUT expected",
        "NumberOfSlices is 1, range 2 to any expected",
        "NumberOfPhases is 1, range 2 to any expected",
    }


def test_a_cine_series_with_a_missing_image_is_refused_once(
    segment: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    stored, _ = beating_heart()
    folder = cine_mr.save(cine_mr.cine_slices(stored)[1:], tmp_path / "sax")
    cases = segment(folder, code=1)
    assert cases["sax"]["reason"] == (
        "sax: uneven phases: 2 images at one slice position and 3 at another, as many expected; export the series again"
    )


def test_a_server_is_asked_for_mr_series() -> None:
    series = [SeriesOnServer(uid=f"1.{i}", number=i, modality=name, count=30) for i, name in enumerate(("MR", "CT"))]
    fetched, excluded = choose_series(series, "cardiac", "http://127.0.0.1")
    assert [one.modality for one in fetched] == ["MR"]
    assert len(excluded) == 1


def test_the_cardiac_task_has_no_per_image_mode(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nib.save(nib.Nifti1Image(heart()[0], AFFINE), tmp_path / "a.nii.gz")
    words = ["segment", str(tmp_path / "a.nii.gz"), "--task", "cardiac", "--bundle", str(bundle)]
    assert main([*words, "--output", str(tmp_path / "out"), "--mode", "per-image"]) == 2
    assert "no mode per-image; leave --mode out" in capsys.readouterr().err


def test_lost_spacing_is_noted_and_mr_has_no_hu(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(heart()[0], np.eye(4)), tmp_path / "lost.nii.gz")
    case = segment(tmp_path / "lost.nii.gz")["lost"]
    assert case["status"] == "ok"
    assert case["notes"] == spacing_notes(np.eye(4))
    assert "volume_ml" in case["notes"][0]
    assert spacing_notes(AFFINE) == []
    assert set(measures(heart()[1], AFFINE, TASKS["cardiac"])) == {"volume_ml", "fraction"}


@pytest.mark.parametrize("stored", [np.eye(4), np.diag([-1.5, -1.5, 8.0, 1.0]), AFFINE])
def test_previews_show_the_slices_as_acquired(stored: np.ndarray) -> None:
    """Slices follow the rows and columns of the file, whatever its affine; none is reformatted."""
    image, mask = heart()
    image[:12, :10] += 400  # the corner where both indices are low
    drawing = preview(image, np.zeros_like(mask), affine=stored, task=TASKS["cardiac"], size=600)
    gray = np.asarray(drawing.convert("L"), float)
    cells = [gray[row : row + 160, column : column + 190] for row in (0, 170) for column in (0, 205, 410)]
    for cell in cells[:5]:  # as many as slices
        corner = [cell[:60, :60].mean(), cell[:60, -60:].mean(), cell[90:130, -60:].mean()]
        assert corner[0] > corner[1]
        assert corner[0] > corner[2]


class Limited(torch.nn.Module):
    """A network that doubles slices and runs out of memory above ``limit`` pixels per batch."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.numel() > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return 2 * image


@pytest.mark.parametrize(
    ("limit", "warned"), [(8 * 80 * 72, None), (80 * 72, None), (40 * 40, "windows of 40x36"), (32 * 32, "32x32")]
)
def test_slices_run_one_by_one_before_smaller_windows(limit: int, warned: str | None) -> None:
    image = torch.rand(1, 1, 80, 72, 9)
    inferer = FlipTTAInferer(base=SliceInferer(roi_size=(-1, -1), sw_batch_size=8, spatial_dim=2))
    network = Limited(limit)
    result, warning = with_smaller_windows(
        lambda candidate: candidate(image, network), inferer, spatial_shape=(80, 72, 9), device=torch.device("cpu")
    )
    torch.testing.assert_close(result, 2 * image)
    assert (warned is None) == (warning is None)
    assert warning is None or (warned is not None and warned in warning)


def test_slices_too_large_for_any_window_are_refused() -> None:
    inferer = FlipTTAInferer(base=SliceInferer(roi_size=(-1, -1), sw_batch_size=8, spatial_dim=2))
    with pytest.raises(CaseError, match="in smaller windows too"):
        with_smaller_windows(
            lambda candidate: candidate(torch.rand(1, 1, 80, 72, 3), Limited(100)),
            inferer,
            spatial_shape=(80, 72, 3),
            device=torch.device("cpu"),
        )


def test_info_names_the_classes_with_or_without_weights() -> None:
    info = describe()
    task = info["tasks"]["cardiac"]
    assert task["labels"] == {"RV": 1, "MYO": 2, "LV": 3}
    assert task["bundle"] == RELEASED.name
    assert ("sha256" in task) != ("no weights" in task.get("problem", ""))
    assert "task cardiac: RV, MYO, LV; " in format_info(info)


@pytest.mark.parametrize("by", ["slice", "phase"])
def test_a_scan_that_is_stored_as_several_series_is_segmented_whole(
    segment: Callable[..., dict[str, Any]], tmp_path: Path, by: str
) -> None:
    stored, masks = beating_heart()
    study = generate_uid()
    parts = range(stored.shape[1]) if by == "slice" else range(stored.shape[0])
    uids = [generate_uid() for _ in parts]
    datasets = cine_mr.cine_slices(stored, StudyInstanceUID=study)
    for index, dataset in enumerate(datasets):
        part = index % stored.shape[1] if by == "slice" else index // stored.shape[1]
        dataset.SeriesInstanceUID, dataset.SeriesNumber = uids[part], part + 1
    cases = segment(cine_mr.save(datasets, tmp_path / "sax"))
    assert len(cases) == (15 if by == "slice" else 3)
    if by == "phase":
        for number in (1, 2, 3):
            mask = nib.load(tmp_path / "out" / f"sax_series{number}_seg.nii.gz").dataobj
            np.testing.assert_array_equal(np.asarray(mask), masks[number - 1].transpose(2, 1, 0))


def test_a_copy_in_a_cine_series_counts_once(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    folder = cine_mr.save(cine_mr.cine_slices(beating_heart()[0]), tmp_path / "sax")
    shutil.copy(folder / "00000.dcm", folder / "copy.dcm")
    cases = segment(folder)
    assert list(cases) == ["sax_phase1", "sax_phase2", "sax_phase3"]
    assert {case["status"] for case in cases.values()} == {"ok"}


def test_what_no_mask_can_tell_is_a_warning(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((24, 20, 5), 7, np.int16), AFFINE), tmp_path / "flat.nii.gz")
    turned = np.diag([10.0, 1.4, 1.4, 1.0])
    nib.save(nib.Nifti1Image(heart()[0], turned), tmp_path / "turned.nii.gz")
    cases = segment(tmp_path / "flat.nii.gz", tmp_path / "turned.nii.gz")
    assert "all voxels of the image have the same value" in cases["flat"]["warnings"]
    assert (
        "slices seem to lie along axis 1 (voxels of 10 mm), this task expects them along the last one"
        in cases["turned"]["warnings"]
    )
