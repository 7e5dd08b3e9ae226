#!/usr/bin/env bash
# MONAI 1.6.1 and batchgeneratorsv2 0.3.6 (nnU-Net's augmentation): a scale of 2 halves the objects. Affine(scale_params=2),
# RandAffine(scale_range=1) and SpatialTransform(scaling=2) scale the grid of output positions, so a cube of 4 voxels comes
# out with 2. torchio's Affine(scales=2) and MONAI's own Zoom(2) make it 8. A range such as 0.7 to 1.4 moved from one to the
# other trains on other sizes.
#
# Guessed: a scale above 1 makes objects larger in all of them.
# Installs the packages into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet torch==2.13.0 monai==1.6.1 torchio==0.20.23 batchgeneratorsv2==0.3.6
cat >"$folder/show.py" <<'PYTHON'
import torch
import torchio
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from monai.transforms import Affine, RandAffine, Zoom

cube = torch.zeros(1, 16, 16, 16)
cube[0, 6:10, 6:10, 6:10] = 1
plain = {"padding_mode": "zeros", "mode": "nearest"}
spatial = SpatialTransform(
    (16, 16, 16), 0, False, p_elastic_deform=0, p_rotation=0, p_scaling=1, scaling=(2.0, 2.0),
    p_synchronize_scaling_across_axes=1,
)
scaled = {
    "MONAI Affine": Affine(scale_params=(2, 2, 2), **plain)(cube)[0],
    "MONAI RandAffine": RandAffine(prob=1, scale_range=((1.0, 1.0),) * 3, **plain)(cube),
    "batchgeneratorsv2": spatial(image=cube, segmentation=cube.to(torch.int16))["segmentation"],
    "MONAI Zoom": Zoom(2, mode="nearest")(cube),
    "torchio Affine": torchio.Affine(scales=2, degrees=0, translation=0, image_interpolation="nearest")(cube),
}
edges = {name: round(int((image > 0).sum()) ** (1 / 3), 3) for name, image in scaled.items()}
for name, edge in edges.items():
    print(f"{name}: a cube of 4 becomes one of {edge:g}")
shrinks = {"MONAI Affine", "MONAI RandAffine", "batchgeneratorsv2"}
raise SystemExit(edges != {name: 2.0 if name in shrinks else 8.0 for name in edges})
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
