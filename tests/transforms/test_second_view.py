"""Tests of the second view of an image, another appearance under a key of its own."""

from __future__ import annotations

import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, RandGaussianNoised, ScaleIntensityd
from monai.utils import set_determinism

from s3net_monai.transforms import SecondViewd


def test_the_image_stays_and_the_label_is_not_used() -> None:
    sample = {"image": torch.tensor([[[0.0, 4.0]]]), "label": torch.ones(1, 1, 2)}
    result = SecondViewd("image", ScaleIntensityd("image"))(sample)
    assert torch.equal(result["image"], torch.tensor([[[0.0, 4.0]]]))
    assert torch.equal(result["image_second"], torch.tensor([[[0.0, 1.0]]]))
    assert set(result) == {"image", "label", "image_second"}


def test_the_loader_seeds_the_transform() -> None:
    def batches() -> list[torch.Tensor]:
        set_determinism(5)
        noisy = Compose([RandGaussianNoised("image", prob=1.0)])
        data = Dataset([{"image": torch.zeros(1, 4, 4)}] * 3, Compose([SecondViewd("image", noisy)]))
        views = [batch["image_second"] for batch in DataLoader(data, batch_size=1)]
        set_determinism(None)
        return views

    first, repeated = batches(), batches()
    assert all(torch.equal(a, b) for a, b in zip(first, repeated, strict=True))
    assert not torch.equal(first[0], first[1])
