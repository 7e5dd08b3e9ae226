"""Features and consistency of images, by networks of this package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.phantom import write_cardiac_phantom, write_skin_phantom
from s3net_monai.active_learning import encoder_of, features_of, measure_case
from s3net_monai.inference import Case, bundle_root, load_bundle
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.networks import ClusterToClass, ConvEncoder, EncoderUNet, S3Net


@pytest.mark.parametrize("size", [(20, 31), (12, 9, 5)])
def test_features_are_mean_and_maximum_of_every_channel_whatever_the_size(size: tuple[int, ...]) -> None:
    network = ClusterToClass(S3Net(len(size), 1, 4, channels=[4, 6], num_blocks=[0, 1]), 2).train()
    features = features_of(torch.rand(1, *size), network)
    assert features.shape == (12,)
    assert features.dtype == np.float32
    assert (features[6:] >= features[:6]).all()
    assert not network.training  # statistics of a batch of one would make all images alike


def test_a_network_of_slices_sees_all_of_a_volume() -> None:
    network = EncoderUNet(ConvEncoder(2, 1, channels=(4, 6)), spatial_dims=2, in_channels=1, out_channels=2)
    volume = torch.rand(1, 20, 16, 3)
    features = features_of(volume, network)
    each = np.stack([features_of(volume[..., index], network) for index in range(3)])
    np.testing.assert_allclose(features[:6], each[:, :6].mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(features[6:], each[:, 6:].max(axis=0), rtol=1e-4)


def test_other_networks_have_their_encoder() -> None:
    encoder = ConvEncoder(2, 1, channels=(4, 8))
    assert encoder_of(EncoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=2)) is encoder
    with pytest.raises(ValueError, match="Sequential has no encoder; choose images with"):
        encoder_of(nn.Sequential())


@pytest.mark.parametrize("task", ["skin", "cardiac"])
def test_consistency_is_that_of_the_report(task: str, tmp_path: Path) -> None:
    if task == "skin":
        path = write_skin_phantom(tmp_path, "case", (90, 70))[0]
    else:
        path = write_cardiac_phantom(tmp_path, "case", (48, 40, 4))[0][1]
    bundle = load_bundle(task, bundle_root(task), torch.device("cpu"))
    case = Case("case", path, (path,), "picture" if task == "skin" else "volume")
    found = measure_case(case, bundle)
    assert found.consistency == infer_sample(read_case(case, bundle), bundle).consistency
    assert found.consistency is not None
    assert 0 < found.consistency <= 1
    assert found.features.shape == ((192,) if task == "skin" else (256,))
