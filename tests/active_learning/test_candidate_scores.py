"""Features and consistency of images, computed with networks of this package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.phantom import write_cardiac_phantom, write_skin_phantom
from s3net_monai.active_learning import find_encoder, image_features, score_candidate
from s3net_monai.inference import Case, bundle_root, load_bundle
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.networks import ClusterToClass, ConvEncoder, EncoderUNet, S3Net


@pytest.mark.parametrize("size", [(20, 31), (12, 9, 5)])
def test_features_are_channel_means_and_maxima_at_any_size(size: tuple[int, ...]) -> None:
    network = ClusterToClass(S3Net(len(size), 1, 4, channels=[4, 6], num_blocks=[0, 1]), 2).train()
    features = image_features(torch.rand(1, *size), network)
    assert features.shape == (12,)
    assert features.dtype == np.float32
    assert (features[6:] >= features[:6]).all()
    assert not network.training  # batch statistics of a single image would make all images alike


def test_2d_network_processes_all_slices_of_a_volume() -> None:
    network = EncoderUNet(ConvEncoder(2, 1, channels=(4, 6)), spatial_dims=2, in_channels=1, out_channels=2)
    volume = torch.rand(1, 20, 16, 3)
    features = image_features(volume, network)
    by_slice = np.stack([image_features(volume[..., index], network) for index in range(3)])
    np.testing.assert_allclose(features[:6], by_slice[:, :6].mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(features[6:], by_slice[:, 6:].max(axis=0), rtol=1e-4)


def test_encoder_of_other_networks() -> None:
    encoder = ConvEncoder(2, 1, channels=(4, 8))
    assert find_encoder(EncoderUNet(encoder, spatial_dims=2, in_channels=1, out_channels=2)) is encoder
    with pytest.raises(ValueError, match="Sequential has no encoder; select images with"):
        find_encoder(nn.Sequential())


@pytest.mark.parametrize("task", ["skin", "cardiac"])
def test_consistency_equals_that_of_the_report(task: str, tmp_path: Path) -> None:
    if task == "skin":
        path = write_skin_phantom(tmp_path, "case", (90, 70))[0]
    else:
        path = write_cardiac_phantom(tmp_path, "case", (48, 40, 4))[0][1]
    bundle = load_bundle(task, bundle_root(task), torch.device("cpu"))
    case = Case(case_id="case", input=path, image=(path,), kind="image_2d" if task == "skin" else "volume")
    score = score_candidate(case, bundle)
    assert score.consistency == infer_sample(read_case(case, bundle), bundle).consistency
    assert score.consistency is not None
    assert 0 < score.consistency <= 1
    assert score.features.shape == ((192,) if task == "skin" else (256,))
