"""The forward pass of the skin network on a picture of 64 x 64 pixels."""

from __future__ import annotations

import torch
from counted import counted

from s3net_monai.inference import bundle_root, load_bundle


def main() -> None:
    """Count one pass in one thread."""
    torch.set_num_threads(1)
    network = load_bundle("skin", bundle_root("skin"), torch.device("cpu")).network
    image = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        counted(lambda: network(image))


if __name__ == "__main__":
    main()
