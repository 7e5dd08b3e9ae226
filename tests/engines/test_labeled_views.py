"""Tests of images and labels that are transformed together."""

from __future__ import annotations

import torch

from s3net_monai.engines import LabeledViews, TwoViews


def test_labels_follow_their_images() -> None:
    label = torch.zeros(2, 1, 33, 21)
    label[0, :, 4:16, 3:9] = 1
    label[1, :, 20:28, 8:19] = 2
    views = TwoViews(gain=0, bias=0, noise=0, seed=3)
    image, warped = LabeledViews(views)({"image": label.repeat(1, 3, 1, 1), "label": label})
    assert image.shape == (2, 3, 33, 21)
    assert warped.shape == (2, 1, 33, 21)
    assert warped.dtype == torch.int64
    assert not torch.equal(warped, label.long())
    inside = (image[:, :1] - image[:, :1].round()).abs() < 1e-3  # away from edges, where bilinear values lie in between
    assert inside.float().mean() > 0.7
    assert torch.equal(image[:, :1].round().long()[inside], warped[inside])


def test_images_are_recolored_and_labels_are_not() -> None:
    still = TwoViews(rotate=0, scale=0, shear=0, translate=0, flip=0, seed=0)
    image, label = torch.rand(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    view, warped = LabeledViews(still)({"image": image, "label": label})
    assert not torch.allclose(view, image, atol=0.01)
    assert torch.equal(warped, label.long())
