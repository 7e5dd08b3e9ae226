"""Tests of resampling to a spacing and back."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, LoadImaged, Orientationd, Spacingd

from s3net_monai.transforms import ResampleToSpacingd


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
    """Return values that are linear in patient coordinates.

    Every resampling preserves them inside the volume.
    """
    index = np.stack([*np.indices(shape), np.ones(shape)])
    x, y, z = np.einsum("ij,j...->i...", grid, index)[:3]
    return (1.0 * x + 2.0 * y - 3.0 * z).astype(np.float32)


@pytest.fixture(params=list(AFFINES))
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    grid = affine(request.param)
    path = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ramp((14, 12, 10), grid), grid), path)
    return path


PIXDIM = (2.5, 2.0, 5.0)


def preprocessing() -> Compose:
    orient = Orientationd("image", axcodes="RAS")
    return Compose([LoadImaged("image"), EnsureChannelFirstd("image"), orient, ResampleToSpacingd("image", PIXDIM)])


def corners(image: MetaTensor) -> np.ndarray:
    """Return the patient coordinates of the outermost voxel corners, (3, 8)."""
    ends = np.stack(np.meshgrid(*[(-0.5, size - 0.5) for size in image.shape[1:]], indexing="ij")).reshape(3, -1)
    return (image.affine.numpy() @ np.concatenate([ends, np.ones((1, 8))]))[:3]


def test_every_voxel_keeps_its_value_at_its_position(file: Path) -> None:
    image = preprocessing()({"image": file})["image"]
    expected = ramp(image.shape[1:], image.affine.numpy())
    inner = (slice(1, -1),) * 3  # the outermost voxels take the value at the edge
    np.testing.assert_allclose(image[0][inner], expected[inner], atol=2e-3)
    assert image.dtype == torch.float32


def test_extent_stays_and_the_affine_states_the_new_spacing(file: Path) -> None:
    image = Compose(preprocessing().transforms[:3])({"image": file})["image"]
    resampled = preprocessing().transforms[3]({"image": image})["image"]
    np.testing.assert_allclose(corners(resampled), corners(image), atol=1e-4)
    for old_size, size, old_spacing, spacing, target in zip(
        image.shape[1:], resampled.shape[1:], image.pixdim, resampled.pixdim, PIXDIM, strict=True
    ):
        assert size == max(1, round(old_size * float(old_spacing) / target))
        assert float(spacing) * size == pytest.approx(float(old_spacing) * old_size)
        assert abs(float(spacing) - target) * size <= target / 2 + 1e-6


def test_half_resolution_averages_pairs_of_voxels() -> None:
    torch.manual_seed(0)
    image = MetaTensor(torch.rand(2, 8, 12, 6), affine=torch.diag(torch.tensor([-1.0, 1.0, 2.0, 1.0])))
    result = ResampleToSpacingd("image", (2.0, 2.0, 2.0))({"image": image})["image"]
    expected = torch.nn.functional.avg_pool3d(image.as_tensor(), (2, 2, 1))
    torch.testing.assert_close(result.as_tensor(), expected)
    np.testing.assert_allclose(result.affine[:3, 3], [-0.5, 0.5, 0])


def test_inverts_to_the_source_grid(file: Path) -> None:
    source = nibabel.load(file)
    transform = preprocessing()
    sample = transform({"image": file, "image_path": file, "image_id": "a"})
    # stands for the output of a network on the resampled grid
    sample["pred"] = MetaTensor(torch.from_numpy(ramp(sample["image"].shape[1:], sample["image"].affine.numpy()))[None])
    result = Invertd("pred", transform, orig_keys="image", nearest_interp=False, to_tensor=True)(sample)
    pred = result["pred"]
    assert pred.shape == (1, *source.shape)
    np.testing.assert_allclose(pred.affine, source.affine, atol=1e-4)
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(pred[0][inner], source.get_fdata()[inner], atol=2e-2)
    assert result["image_path"] == file
    assert result["image_id"] == "a"


def test_inverse_of_the_transform_itself() -> None:
    affine = torch.diag(torch.tensor([-1.0, 1.0, 3.0, 1.0], dtype=torch.float64))
    sample = {key: MetaTensor(torch.rand(1, 9, 8, 7), affine=affine) for key in ("image", "weak_label")}
    resample = ResampleToSpacingd(["image", "weak_label"], (2.0, 2.0, 2.0))
    restored = resample.inverse(resample(sample))
    for key in sample:
        assert restored[key].shape == (1, 9, 8, 7)
        assert restored[key].applied_operations == []
        torch.testing.assert_close(restored[key].affine, affine)
    assert sample["image"].shape == (1, 9, 8, 7)  # the input is not changed
    assert sample["image"].applied_operations == []


def test_plain_items_with_names_like_the_image_survive(file: Path) -> None:
    plain = {"image_path": file, "image_id": "a", "image_weight": torch.ones(2), "image_none": None}
    with pytest.raises(AttributeError):
        Spacingd("image", PIXDIM)({**Compose(preprocessing().transforms[:3])({"image": file}), **plain})
    result = preprocessing()({"image": file, **plain})
    assert all(result[key] is value for key, value in plain.items())
    assert set(result) == {"image", *plain}


def test_a_single_slice_stays_a_single_slice() -> None:
    image = MetaTensor(torch.rand(1, 8, 8, 1), affine=torch.diag(torch.tensor([2.0, 2.0, 1.0, 1.0])))
    result = ResampleToSpacingd("image", (4.0, 4.0, 5.0))({"image": image})["image"]
    assert result.shape == (1, 4, 4, 1)
    np.testing.assert_allclose(result.pixdim, [4, 4, 1])


def test_2d_images_from_a_config() -> None:
    config = {"_target_": "s3net_monai.transforms.ResampleToSpacingd", "keys": "image", "pixdim": [2, 4]}
    transform = ConfigParser({"step": config}).get_parsed_content("step")
    image = MetaTensor(torch.rand(3, 8, 8), affine=torch.eye(3))
    assert transform({"image": image})["image"].shape == (3, 4, 2)


def test_an_axis_gets_the_spacing_of_the_direction_nearest_to_it(file: Path) -> None:
    """Resampling before the axes are turned gives what resampling after it gives."""
    load = preprocessing().transforms[:2]
    orient = Orientationd("image", axcodes="RAS")
    first = Compose([*load, ResampleToSpacingd("image", PIXDIM), orient])({"image": file})["image"]
    expected = preprocessing()({"image": file})["image"]
    torch.testing.assert_close(first.as_tensor(), expected.as_tensor(), rtol=0, atol=1e-3)
    np.testing.assert_allclose(first.affine, expected.affine, atol=1e-9)


def test_integers_stored_slice_by_slice_give_the_same() -> None:
    torch.manual_seed(0)
    stored = torch.randint(-1024, 3000, (1, 7, 9, 12), dtype=torch.int16).permute(0, 3, 2, 1)
    affine = torch.diag(torch.tensor([-1.0, 1.0, 2.0, 1.0]))
    resample = ResampleToSpacingd("image", (2.5, 2.0, 3.0))
    result, expected = (
        resample({"image": MetaTensor(image, affine=affine)})["image"]
        for image in (stored, stored.float().contiguous())
    )
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.as_tensor(), expected.as_tensor(), rtol=0, atol=5e-3)
