"""Tests of the mask on the source's grid, against MONAI's ``Invertd`` and a threshold."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import AsDiscreted, Compose, EnsureTyped, Invertd, Orientationd, SpatialPadd

from s3net_monai.transforms import MaskOnSourced, ResampleToSpacingd

AFFINES = {
    "LPS": torch.diag(torch.tensor([-1.0, -1.5, 2.0, 1.0])),
    "RAS": torch.diag(torch.tensor([1.0, 1.5, 2.0, 1.0])),
    "sagittal": torch.diag(torch.tensor([-1.0, -1.5, 2.0, 1.0]))[:, [1, 2, 0, 3]],
}


def preprocessing() -> Compose:
    return Compose(
        [
            ResampleToSpacingd("image", pixdim=(2.5, 2.5, 5.0)),
            Orientationd("image", axcodes="RAS", labels=None),
            SpatialPadd("image", spatial_size=(12, 12, 8), mode="edge"),
            EnsureTyped("image"),
        ]
    )


@pytest.mark.parametrize("name", AFFINES)
def test_equals_invertd_and_a_threshold(name: str) -> None:
    torch.manual_seed(0)
    transform = preprocessing()
    image = MetaTensor(torch.rand(1, 21, 18, 14), affine=AFFINES[name].double(), meta={"spatial_shape": (21, 18, 14)})
    sample = transform({"image": image, "case_id": "a"})
    sample["pred"] = MetaTensor(torch.rand(sample["image"].shape))
    result = MaskOnSourced("pred", transform, orig_keys="image", threshold=0.5)(sample)
    invert = Invertd("pred", transform, orig_keys="image", nearest_interp=False, to_tensor=True)
    expected = AsDiscreted("pred", threshold=0.5)(invert(sample))["pred"]
    assert 0.2 < float(expected.mean()) < 0.8
    assert result["pred"].dtype == torch.uint8
    assert result["pred"].shape == (1, 21, 18, 14)
    assert int((result["pred"].as_tensor() != expected.as_tensor()).sum()) == 0
    torch.testing.assert_close(result["pred"].affine, AFFINES[name].double())
    assert result["case_id"] == "a"
    assert len(sample["image"].applied_operations) == len(transform.transforms) - 1  # that of the type leaves no trace


def test_refuses_a_preprocessing_that_it_cannot_undo() -> None:
    with pytest.raises(ValueError, match="no ResampleToSpacingd; give the preprocessing"):
        MaskOnSourced("pred", Compose([EnsureTyped("image")]), orig_keys="image")
    turned_first = Compose([Orientationd("image", axcodes="RAS", labels=None), ResampleToSpacingd("image", (1, 1, 1))])
    with pytest.raises(ValueError, match="Orientationd stands before ResampleToSpacingd"):
        MaskOnSourced("pred", turned_first, orig_keys="image")
