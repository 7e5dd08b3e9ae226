"""Tests of random networks on intensities: what they preserve, and that seeds repeat them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from s3net_monai.transforms import RandGINd


@pytest.mark.parametrize("shape", [(1, 16, 12), (2, 9, 8), (1, 6, 7, 5)])
def test_mean_and_standard_deviation_stay(shape: tuple[int, ...]) -> None:
    image = 3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    changed = RandGINd("image", prob=1.0).set_random_state(0)({"image": image})["image"]
    assert changed.shape == image.shape
    assert not torch.allclose(changed, image, atol=0.1)
    axes = tuple(range(1, len(shape)))
    torch.testing.assert_close(changed.mean(axes), image.mean(axes), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(changed.std(axes), image.std(axes), atol=1e-3, rtol=1e-3)


def test_a_network_of_one_layer_by_hand() -> None:
    """The generator of the transform gives kernel size, weight and bias of the layer, then the blend weight."""
    image = torch.randn(1, 5, 6, generator=torch.Generator().manual_seed(3))
    transform = RandGINd("image", prob=1.0, layers=1).set_random_state(7)
    result = transform({"image": image})["image"][0].numpy()
    generator = np.random.RandomState(7)
    generator.rand()  # decides whether to transform
    size = int(generator.choice((1, 3)))
    weight, bias, blend_weight = generator.normal(size=(size, size)), generator.normal(), generator.uniform()
    padded = np.pad(image[0].numpy(), size // 2, mode="edge")
    output = np.array(
        [[(padded[x : x + size, y : y + size] * weight).sum() + bias for y in range(6)] for x in range(5)]
    )

    def standardize(array: np.ndarray) -> np.ndarray:
        return (array - array.mean()) / array.std(ddof=1)

    original = image[0].numpy()
    blend = standardize(blend_weight * standardize(output) + (1 - blend_weight) * standardize(original))
    np.testing.assert_allclose(result, blend * original.std(ddof=1) + original.mean(), atol=1e-4)


def test_kernels_of_size_1_keep_equal_pixels_equal() -> None:
    """Two pixels of one intensity have one intensity afterwards, so outlines stay."""
    image = torch.tensor([[[0.0, 1.0, 1.0, 2.0], [2.0, 1.0, 0.0, 0.0]]])
    transform = RandGINd("image", prob=1.0, layers=2).set_random_state(0)
    transform._random_layers = lambda dims: [  # type: ignore[method-assign]
        (torch.tensor([[[[-1.0]]], [[[2.0]]]]), torch.tensor([0.5, -1.0])),
        (torch.tensor([[[[1.0]], [[-3.0]]]]), torch.tensor([0.0])),
    ]
    changed = transform({"image": image})["image"]
    for value in (0.0, 1.0, 2.0):
        assert changed[image == value].std() < 1e-5
    assert len(torch.unique(changed.round(decimals=4))) == 3


def test_seeds_repeat_and_keys_get_the_same_network() -> None:
    image = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(2))
    transform = Compose([RandGINd(["image", "other"], prob=0.5, allow_missing_keys=True)])
    first = [transform.set_random_state(seed)({"image": image, "other": image}) for seed in range(20)]
    repeated = [transform.set_random_state(seed)({"image": image}) for seed in range(20)]
    for sample, repeat in zip(first, repeated, strict=True):
        assert torch.equal(sample["image"], sample["other"])
        assert torch.equal(sample["image"], repeat["image"])
    changed = sum(not torch.equal(sample["image"], image) for sample in first)
    assert 4 < changed < 16


def test_constant_images_and_meta_tensors() -> None:
    flat = MetaTensor(torch.full((1, 4, 4), 2.0), affine=torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    changed = RandGINd("image", prob=1.0)({"image": flat})["image"]
    assert torch.equal(changed.as_tensor(), flat.as_tensor())
    assert torch.equal(changed.affine, flat.affine)


@pytest.mark.parametrize("settings", [{"layers": 0}, {"width": 0}])
def test_networks_without_layers_or_channels_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        RandGINd("image", **settings)
