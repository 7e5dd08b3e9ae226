"""Images and labels that are moved together."""

from __future__ import annotations

import torch

from s3net_monai.engines import LabeledViews, TwoViews


def test_labels_go_with_their_images() -> None:
    label = torch.zeros(2, 1, 33, 21)
    label[0, :, 4:16, 3:9] = 1
    label[1, :, 20:28, 8:19] = 2
    views = TwoViews(gain=0, bias=0, noise=0, seed=3)
    image, moved = LabeledViews(views)({"image": label.repeat(1, 3, 1, 1), "label": label})
    assert image.shape == (2, 3, 33, 21)
    assert moved.shape == (2, 1, 33, 21)
    assert moved.dtype == torch.int64
    assert not torch.equal(moved, label.long())
    inside = (image[:, :1] - image[:, :1].round()).abs() < 1e-3  # away from borders, where bilinear values lie between
    assert inside.float().mean() > 0.7
    assert torch.equal(image[:, :1].round().long()[inside], moved[inside])


def test_recolored_as_the_views_say() -> None:
    still = TwoViews(rotate=0, scale=0, shear=0, translate=0, flip=0, seed=0)
    image, label = torch.rand(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    view, moved = LabeledViews(still)({"image": image, "label": label})
    assert not torch.allclose(view, image, atol=0.01)
    assert torch.equal(moved, label.long())
