"""The second view of an image: another appearance, under a key of its own."""

from __future__ import annotations

import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, RandGaussianNoised, ScaleIntensityd
from monai.utils import set_determinism

from s3net_monai.transforms import SecondViewd


def test_the_image_stays_and_the_label_is_not_seen() -> None:
    sample = {"image": torch.tensor([[[0.0, 4.0]]]), "label": torch.ones(1, 1, 2)}
    found = SecondViewd("image", ScaleIntensityd("image"))(sample)
    assert torch.equal(found["image"], torch.tensor([[[0.0, 4.0]]]))
    assert torch.equal(found["image_second"], torch.tensor([[[0.0, 1.0]]]))
    assert set(found) == {"image", "label", "image_second"}


def test_its_chance_is_the_loaders() -> None:
    def batches() -> list[torch.Tensor]:
        set_determinism(5)
        noisy = Compose([RandGaussianNoised("image", prob=1.0)])
        data = Dataset([{"image": torch.zeros(1, 4, 4)}] * 3, Compose([SecondViewd("image", noisy)]))
        found = [batch["image_second"] for batch in DataLoader(data, batch_size=1)]
        set_determinism(None)
        return found

    first, again = batches(), batches()
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
