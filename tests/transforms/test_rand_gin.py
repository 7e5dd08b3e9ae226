"""Random networks on intensities: what they keep, and that chance is MONAI's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from s3net_monai.transforms import RandGINd


@pytest.mark.parametrize("shape", [(1, 16, 12), (2, 9, 8), (1, 6, 7, 5)])
def test_mean_and_spread_stay(shape: tuple[int, ...]) -> None:
    image = 3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    changed = RandGINd("image", prob=1.0).set_random_state(0)({"image": image})["image"]
    assert changed.shape == image.shape
    assert not torch.allclose(changed, image, atol=0.1)
    axes = tuple(range(1, len(shape)))
    torch.testing.assert_close(changed.mean(axes), image.mean(axes), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(changed.std(axes), image.std(axes), atol=1e-3, rtol=1e-3)


def test_a_network_of_one_layer_by_hand() -> None:
    """Weights come from the transform's own generator: kernel size, weight and bias of a layer, then the share."""
    image = torch.randn(1, 5, 6, generator=torch.Generator().manual_seed(3))
    step = RandGINd("image", prob=1.0, layers=1).set_random_state(7)
    found = step({"image": image})["image"][0].numpy()
    chance = np.random.RandomState(7)
    chance.rand()  # of the decision
    size = int(chance.choice((1, 3)))
    weight, bias, share = chance.normal(size=(size, size)), chance.normal(), chance.uniform()
    padded = np.pad(image[0].numpy(), size // 2, mode="edge")
    passed = np.array(
        [[(padded[x : x + size, y : y + size] * weight).sum() + bias for y in range(6)] for x in range(5)]
    )

    def z_scored(array: np.ndarray) -> np.ndarray:
        return (array - array.mean()) / array.std(ddof=1)

    plain = image[0].numpy()
    blend = z_scored(share * z_scored(passed) + (1 - share) * z_scored(plain))
    np.testing.assert_allclose(found, blend * plain.std(ddof=1) + plain.mean(), atol=1e-4)


def test_equal_pixels_stay_equal_where_kernels_are_points() -> None:
    """Without texture, two pixels of one intensity have one intensity afterwards: outlines stay."""
    image = torch.tensor([[[0.0, 1.0, 1.0, 2.0], [2.0, 1.0, 0.0, 0.0]]])
    step = RandGINd("image", prob=1.0, layers=2).set_random_state(0)
    step._kernels = lambda dims: [  # type: ignore[method-assign]
        (torch.tensor([[[[-1.0]]], [[[2.0]]]]), torch.tensor([0.5, -1.0])),
        (torch.tensor([[[[1.0]], [[-3.0]]]]), torch.tensor([0.0])),
    ]
    changed = step({"image": image})["image"]
    for value in (0.0, 1.0, 2.0):
        assert changed[image == value].std() < 1e-5
    assert len(torch.unique(changed.round(decimals=4))) == 3


def test_chance_is_seeded_and_keys_share_it() -> None:
    image = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(2))
    steps = Compose([RandGINd(["image", "other"], prob=0.5, allow_missing_keys=True)])
    first = [steps.set_random_state(seed)({"image": image, "other": image}) for seed in range(20)]
    again = [steps.set_random_state(seed)({"image": image}) for seed in range(20)]
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one["image"], one["other"])
        assert torch.equal(one["image"], other["image"])
    changed = sum(not torch.equal(one["image"], image) for one in first)
    assert 4 < changed < 16


def test_constant_images_and_meta_tensors() -> None:
    flat = MetaTensor(torch.full((1, 4, 4), 2.0), affine=torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    changed = RandGINd("image", prob=1.0)({"image": flat})["image"]
    assert torch.equal(changed.as_tensor(), flat.as_tensor())
    assert torch.equal(changed.affine, flat.affine)


@pytest.mark.parametrize("settings", [{"layers": 0}, {"width": 0}])
def test_refusals(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        RandGINd("image", **settings)
