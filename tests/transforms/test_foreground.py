"""The foreground of a probability is that of MONAI's ``AsDiscreted``, on the same grid."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.transforms import AsDiscreted

from s3net_monai.transforms import Foregroundd


def test_values_are_those_of_monai_also_at_the_threshold() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0], dtype=torch.float64))
    values = torch.rand(1, 9, 7, generator=torch.Generator().manual_seed(0))
    values[0, 0, :3] = torch.tensor([0.5, 0.49999997, float("nan")])
    sample = {"pred": MetaTensor(values.clone(), affine=affine)}
    expected = AsDiscreted("pred", threshold=0.5)(dict(sample))["pred"]
    result = Foregroundd("pred", threshold=0.5)(sample)["pred"]
    assert result.dtype == torch.uint8
    assert torch.equal(result.float().as_tensor(), expected.as_tensor())
    assert torch.equal(result.affine, affine)
    torch.testing.assert_close(sample["pred"].as_tensor(), values, equal_nan=True)  # unchanged
