"""A bundle whose masks can be told by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


def toy_bundle(root: Path, task: str) -> Path:
    """A bundle with the keys that the package relies on and a network of one 1x1 convolution.

    Task lung: foreground below -400.5 HU. Task skin: foreground where red is above 127.5.
    """
    lung = task == "lung"
    dims, channels = (3, 1) if lung else (2, 3)
    convolution = f"torch.nn.Conv{dims}d({channels}, 2, 1)"
    image_2d = {"_target_": "PILReader", "converter": "$upright_gray" if lung else "$upright_rgb"}
    series = {"_target_": "s3net_monai.io.DicomSeriesReader", "allow": "@allow"}
    readers: list[Any] = [image_2d, {"_target_": "s3net_monai.io.DicomVLImageReader"}]
    if lung:
        readers = [
            image_2d,
            {"_target_": "s3net_monai.io.NiftiReader", "allow": "@allow"},
            {"_target_": "s3net_monai.io.VolumeReader", "allow": "@allow"},
            series,
        ]
    before = [
        {"_target_": "LoadImaged", "keys": "image", "reader": readers},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
    ]
    if lung:
        before += [
            {"_target_": "s3net_monai.transforms.SliceToVolumed", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
        ]
    config = {
        "imports": [
            "$import torch",
            "$from s3net_monai.io import upright_gray",
            "$from s3net_monai.io import upright_rgb",
        ],
        "bundle_root": ".",
        "allow": [],
        "output_dir": "$@bundle_root + '/eval'",
        "device": "cpu",
        "network_def": f"$torch.nn.Sequential({convolution}, torch.nn.Softmax(dim=1))",
        "preprocessing": {"_target_": "Compose", "transforms": before},
        "inferer": {"_target_": "SimpleInferer"},
        "per_image_inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
    }
    image = {
        "type": "image",
        "num_channels": channels,
        "spatial_shape": [8] * dims,
        "dtype": "float32",
        "value_range": [0, 1],
    }
    pred = {"type": "image", "num_channels": 2, "channel_def": {"0": "background", "1": "lung" if lung else "lesion"}}
    formats = {"inputs": {"image": image}, "outputs": {"pred": pred}}
    metadata = {"version": "1.2.3", "network_data_format": formats}
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    (root / "configs" / "metadata.json").write_text(json.dumps(metadata))
    weight = torch.zeros(2, channels, *[1] * dims)
    weight[1, 0] = -1.0 if lung else 1.0
    state = {"0.weight": weight, "0.bias": torch.tensor([0.0, -400.5 if lung else -127.5])}
    torch.save(state, root / "models" / "model.pt")
    return root
