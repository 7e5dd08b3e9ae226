"""Class probabilities of both heads: agreement with inference, gradients and statistics."""

from __future__ import annotations

import torch

from s3net_monai.losses import BidirectionalLoss
from s3net_monai.networks import ClusterToClass, HeadClassLogProbs, S3Net


def make_classes() -> ClusterToClass:
    torch.manual_seed(0)
    return ClusterToClass(S3Net(2, 1, 5, channels=[4, 6], num_blocks=[0, 1], norm="instance"), 2).eval()


def test_main_head_equals_inference() -> None:
    classes = make_classes()
    image = torch.rand(2, 1, 16, 12)
    main, auxiliary = HeadClassLogProbs(classes)(image)
    assert main.shape == auxiliary.shape == (2, 2, 16, 12)
    torch.testing.assert_close(main.softmax(dim=1), classes(image))
    torch.testing.assert_close(auxiliary.exp().sum(dim=1), torch.ones(2, 16, 12))
    assert not torch.allclose(main, auxiliary)


def test_certain_clusters_keep_finite_gradients() -> None:
    classes = make_classes()
    with torch.no_grad():  # probabilities of exactly 0 for all clusters but one
        classes.network.body.head.bias.copy_(torch.tensor([500.0, 0.0, 0.0, 0.0, 0.0]))
    main, auxiliary = HeadClassLogProbs(classes)(torch.rand(2, 1, 16, 12))
    label = torch.ones(2, 1, 16, 12)
    loss = BidirectionalLoss()((main, auxiliary), {"label": label, "labeled": torch.tensor([True, True])})
    loss.backward()
    gradients = [parameter.grad for parameter in classes.parameters() if parameter.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_weights_are_those_of_the_classes() -> None:
    classes = make_classes()
    assert {f"classes.{name}" for name in classes.state_dict()} == set(HeadClassLogProbs(classes).state_dict())


def test_training_keeps_the_running_statistics() -> None:
    classes = ClusterToClass(S3Net(2, 1, 5, channels=[4, 6], num_blocks=[0, 1], norm="batch"), 2)
    heads = HeadClassLogProbs(classes).train()
    before = {name: value.clone() for name, value in classes.state_dict().items()}
    heads(torch.rand(2, 1, 16, 12))
    assert all(torch.equal(value, before[name]) for name, value in classes.state_dict().items())
    assert heads.training
    assert all(parameter.requires_grad for parameter in classes.parameters())
