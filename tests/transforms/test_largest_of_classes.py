"""The largest component of every class against MONAI's transform on the whole array."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import KeepLargestConnectedComponent

from s3net_monai.transforms import KeepLargestOfClassesd


@pytest.mark.parametrize("shape", [(1, 30, 22, 6), (1, 25, 40)])
@pytest.mark.parametrize("seed", range(4))
def test_is_that_of_the_whole_array(shape: tuple[int, ...], seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    inner = labels[:, 5:20, 3:18]
    inner[:] = generator.integers(0, 4, inner.shape) * (generator.random(inner.shape) < 0.4)
    expected = KeepLargestConnectedComponent(applied_labels=[1, 2, 3])(torch.from_numpy(labels.copy()))
    given = torch.from_numpy(labels.copy())
    result = KeepLargestOfClassesd("pred", [1, 2, 3])({"pred": given})["pred"]
    assert torch.equal(result, torch.as_tensor(expected).as_subclass(torch.Tensor))
    assert int((result != given).sum()) > 0
    np.testing.assert_array_equal(given.numpy(), labels)  # unchanged


def test_nothing_stays_nothing_on_its_grid() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    empty = MetaTensor(torch.zeros(1, 4, 4, 2, dtype=torch.uint8), affine=affine)
    result = KeepLargestOfClassesd("pred", [1])({"pred": empty})["pred"]
    assert not result.any()
    assert torch.equal(result.affine, affine)
