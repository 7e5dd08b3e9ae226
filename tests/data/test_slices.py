"""Slices of volumes: their voxels, their identifiers, and that they do not keep their volumes."""

import nibabel
import numpy as np
import pytest
import torch
from monai.data import CacheDataset, Dataset, MetaTensor, get_track_meta
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Rand2DElasticd, RandFlipd, Resized

from s3net_monai.data.slices import SliceDataset, UntrackedDataset, extract_slices
from s3net_monai.utils.errors import DataError

READ = Compose(
    [
        LoadImaged(["image", "label"], allow_missing_keys=True),
        EnsureChannelFirstd(["image", "label"], allow_missing_keys=True),
    ]
)


@pytest.fixture
def cases(tmp_path):
    """Two volumes of 6 x 5 x 4 and 6 x 5 x 3, voxel values 100 z + 10 x + y; the first labeled in slices 1 and 2."""
    cases = []
    for name, depth in (("a", 4), ("b", 3)):
        x, y, z = np.indices((6, 5, depth))
        affine = np.diag([1.5, 1.5, 8.0, 1])
        nibabel.save(nibabel.Nifti1Image((100 * z + 10 * x + y).astype(np.int16), affine), tmp_path / f"{name}.nii.gz")
        cases.append({"case_id": name, "image": str(tmp_path / f"{name}.nii.gz")})
    label = np.zeros((6, 5, 4), np.uint8)
    label[2, 3, 1], label[4, 1, 2] = 1, 3
    nibabel.save(nibabel.Nifti1Image(label, affine), tmp_path / "a_gt.nii.gz")
    cases[0]["label"] = str(tmp_path / "a_gt.nii.gz")
    return cases


def test_every_slice_with_its_voxels_and_name(cases):
    slices = extract_slices(cases, READ)
    assert [s["case_id"] for s in slices] == ["a_z00", "a_z01", "a_z02", "a_z03", "b_z00", "b_z01", "b_z02"]
    assert [(s["volume"], s["slice"]) for s in slices[3:5]] == [("a", 3), ("b", 0)]
    for plane in slices:
        assert plane["image"].shape == (1, 6, 5)
        assert plane["image"][0, 4, 2] == 100 * plane["slice"] + 42
        assert type(plane["image"]) is torch.Tensor
    assert [("label" in s) for s in slices] == [True] * 4 + [False] * 3
    assert slices[1]["label"].nonzero().tolist() == [[0, 2, 3]]
    assert slices[2]["label"][0, 4, 1] == 3


def test_a_slice_does_not_hold_its_volume(cases):
    slices = extract_slices(cases[:1], READ)
    assert slices[0]["image"].untyped_storage().nbytes() == slices[0]["image"].nbytes
    slices[0]["image"][:] = -1
    assert slices[1]["image"].min() == 100


def test_no_case_is_refused():
    with pytest.raises(DataError, match="no cases to extract slices from: add labels"):
        extract_slices([], READ)


def test_no_case_gives_no_slice_where_that_is_allowed():
    assert extract_slices([], READ, allow_empty=True) == []


def test_random_transforms_in_a_cached_dataset(cases):
    chain = Compose([Resized("image", (12, 10), mode="bilinear"), RandFlipd("image", prob=1.0, spatial_axis=0)])
    data = CacheDataset(extract_slices(cases, READ), chain, progress=False)
    assert len(data) == 7
    assert data[6]["image"].shape == (1, 12, 10)
    assert isinstance(data[6]["image"], MetaTensor)
    assert torch.equal(data[6]["image"], data[6]["image"])
    assert data[6]["image"][0, 0].mean() > data[6]["image"][0, -1].mean()  # flipped: x falls


def test_untracked_transforms_give_the_same_values(cases):
    keys = {"keys": ["image", "label"], "mode": ["bilinear", "nearest"], "prob": 1.0}
    moves = {"spacing": (3, 3), "magnitude_range": (0, 1), "rotate_range": 0.5, "translate_range": [1, 1]}
    samples = []
    for kind in (UntrackedDataset, Dataset):
        chain = Compose([Rand2DElasticd(**keys, **moves)]).set_random_state(7)
        samples.append(kind(extract_slices(cases[:1], READ), chain)[1])
    plain, tracked = samples
    for key in ("image", "label"):
        assert type(plain[key]) is torch.Tensor
        assert isinstance(tracked[key], MetaTensor)
        assert torch.equal(plain[key], tracked[key].as_tensor())
    assert not torch.equal(plain["image"], extract_slices(cases[:1], READ)[1]["image"])


def test_tracking_is_restored_after_an_error(cases):
    seen = []

    def fail(sample):
        seen.append(get_track_meta())
        raise ValueError("no")

    data = SliceDataset(cases, READ, fail)
    with pytest.raises(RuntimeError, match="applying transform"):
        data[0]
    assert seen == [False]
    assert get_track_meta()


def test_volumes_of_other_shapes_are_refused(cases):
    def flat(case):
        return {**case, "image": torch.zeros(1, 4, 4)}

    def unequal(case):
        return {**case, "image": torch.zeros(1, 4, 4, 3), "label": torch.zeros(1, 4, 4, 2)}

    for transform in (flat, unequal):
        with pytest.raises(DataError, match=r"a: found .* expected volumes \(C, X, Y, Z\) of one size"):
            extract_slices(cases[:1], transform)
    with pytest.raises(DataError, match="found nothing under scan"):
        extract_slices(cases[:1], READ, keys=["scan"])
