"""The safe resampling: MONAI's own, for samples that MONAI's own cannot take, there and back."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, LoadImaged, Orientationd, Spacingd

from s3net_monai.transforms import SafeSpacingd


def oblique(degrees: float, spacing: tuple[float, float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) * spacing


AFFINES = {
    "LPS": np.diag([-1.5, -1.5, 3.0]),
    "negative": np.diag([-1.0, -2.0, -4.0]),
    "oblique": oblique(15, (1.2, 1.6, 3.0)),
    "LPS oblique": np.diag([-1, -1, 1]) @ oblique(15, (1.2, 1.6, 3.0)),
    "sagittal": np.diag([-2.0, 1.5, 1.0])[:, [1, 2, 0]],
}


def affine(name: str) -> np.ndarray:
    full = np.eye(4)
    full[:3, :3], full[:3, 3] = AFFINES[name], (40, -60, 25)
    return full


def ramp(shape: tuple[int, ...], grid: np.ndarray) -> np.ndarray:
    """A value that is linear in patient coordinates: every resampling has to agree with it inside the volume."""
    index = np.stack([*np.indices(shape), np.ones(shape)])
    x, y, z = np.einsum("ij,j...->i...", grid, index)[:3]
    return (1.0 * x + 2.0 * y - 3.0 * z).astype(np.float32)


@pytest.fixture(params=list(AFFINES))
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    grid = affine(request.param)
    path = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ramp((14, 12, 10), grid), grid), path)
    return path


def steps(spacing: type) -> Compose:
    resample = spacing("image", pixdim=(2.5, 2.0, 5.0), mode="bilinear", dtype=torch.float32)
    orient = Orientationd("image", axcodes="RAS")
    return Compose([LoadImaged("image"), EnsureChannelFirstd("image"), orient, resample])


def test_equals_spacingd(file: Path) -> None:
    ours, monai = (steps(spacing)({"image": file})["image"] for spacing in (SafeSpacingd, Spacingd))
    assert torch.equal(ours.as_tensor(), monai.as_tensor())
    assert torch.equal(ours.affine, monai.affine)
    np.testing.assert_allclose(ours.pixdim, [2.5, 2.0, 5.0], atol=1e-5)


def test_plain_items_named_like_the_image_survive(file: Path) -> None:
    plain = {
        "image_path": file,
        "image_id": "a",
        "image_count": 3,
        "image_weight": torch.ones(2),
        "image_size": np.array([1, 2]),
        "image_none": None,
    }
    with pytest.raises(RuntimeError) as failure:
        steps(Spacingd)({"image": file, "image_path": file})
    assert isinstance(failure.value.__cause__, AttributeError)  # once MONAI mends it, SafeSpacingd can go
    result = steps(SafeSpacingd)({"image": file, **plain})
    assert all(result[key] is value for key, value in plain.items())
    assert torch.equal(result["image"].as_tensor(), steps(Spacingd)({"image": file})["image"].as_tensor())


def test_meta_dictionaries_are_still_updated(file: Path) -> None:
    sample = Compose(steps(SafeSpacingd).transforms[:3])({"image": file})
    resampled = steps(SafeSpacingd).transforms[3]({**sample, "image_meta_dict": {"mine": 1}})
    assert resampled["image_meta_dict"]["mine"] == 1
    assert torch.equal(torch.as_tensor(resampled["image_meta_dict"]["affine"]), resampled["image"].affine)


def test_comes_back_to_the_source_grid(file: Path) -> None:
    source = nibabel.load(file)
    before = steps(SafeSpacingd)
    sample = before({"image": file, "image_path": file, "image_id": "a"})
    # what a network would give on the resampled grid
    sample["pred"] = MetaTensor(torch.from_numpy(ramp(sample["image"].shape[1:], sample["image"].affine.numpy()))[None])
    result = Invertd("pred", before, orig_keys="image", nearest_interp=False, to_tensor=True)(sample)
    pred = result["pred"]
    assert pred.shape == (1, *source.shape)
    np.testing.assert_allclose(pred.affine, source.affine, atol=1e-4)
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(pred[0][inner], source.get_fdata()[inner], atol=2e-2)
    assert result["image_path"] == file
    assert result["image_id"] == "a"


def test_plain_arrays_under_the_keys_are_resampled() -> None:
    result = SafeSpacingd("image", pixdim=(2.0, 2.0, 2.0))({"image": torch.rand(1, 9, 9, 9), "image_path": "a"})
    assert result["image"].shape == (1, 5, 5, 5)


def test_builds_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.SafeSpacingd", "keys": "image", "pixdim": [2, 2], "mode": "nearest"}
    transform = ConfigParser({"step": config}).get_parsed_content("step")
    assert transform({"image": MetaTensor(torch.rand(1, 9, 5))})["image"].shape == (1, 5, 3)
