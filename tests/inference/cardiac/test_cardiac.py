"""Short-axis MR from file to mask by the steps of the released bundle, with a network set by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch
from monai.inferers import SliceInferer
from PIL import Image

from s3net_monai.cli import main
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference.info import describe, format_info
from s3net_monai.inference.report.measures import measures, spacing_notes
from s3net_monai.inference.report.previews import preview
from s3net_monai.inference.run.memory import with_smaller_windows
from s3net_monai.io import CaseError
from s3net_monai.tasks import TASKS
from tests.helpers.heart import AFFINE, RELEASED, heart


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
