"""Seconds of one per-image fit: ``fit_picture.py RESULT.json BUNDLE PICTURE REPEATS``, for every build alike."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from timing import timed, write_result

from s3net_monai.inference import load_bundle


def main(result: str, bundle: str, picture: str, repeats: str) -> None:
    """Fit and apply the network as ``s3net segment --mode per-image`` does, and write the median seconds."""
    torch.manual_seed(0)
    loaded = load_bundle("skin", Path(bundle), torch.device("cpu"), mode="per-image")
    image = loaded.preprocessing({"image": picture})["image"][None]
    write_result(result, timed(lambda: loaded.inferer(image, loaded.network), int(repeats)))


if __name__ == "__main__":
    main(*sys.argv[1:])
