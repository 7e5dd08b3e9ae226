#!/usr/bin/env bash
# Scores the released weights on the report splits, which no training has seen.
# Usage: accuracy.sh DATA; DATA holds skin/ph2, skin/isic2018, lung/volumes, lung/slices512 and cardiac/acdc.
# Writes docs/benchmark/*.json.
set -euo pipefail
data=$(cd "${1:?DATA is missing: give the folder of the data sets, make ... DATA=folder}" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$root/docs/benchmark" "$work"/{ph2,ph2_masks,volume,volume_mask,hearts,heart_masks}

# PH2 reports on the images whose number is divisible by 4, the volumes on id003
for picture in "$data"/skin/ph2/images/IMD*.jpg; do
  case_id=$(basename "$picture" .jpg)
  if (( 10#${case_id#IMD} % 4 == 0 )); then
    ln -s "$picture" "$work/ph2/"
    ln -s "$data/skin/ph2/masks/$case_id.png" "$work/ph2_masks/"
  fi
done
ln -s "$data/lung/volumes/id003_ct.nii.gz" "$work/volume/"
ln -s "$data/lung/volumes/id003_lung.nii.gz" "$work/volume_mask/"

# ACDC reports on patients 071-080, at end-diastole and end-systole
for image in "$data"/cardiac/acdc/patient{07[1-9],080}_*_image.nii.gz; do
  case_id=$(basename "$image" _image.nii.gz)
  ln -s "$image" "$work/hearts/$case_id.nii.gz"
  ln -s "${image%_image.nii.gz}_label.nii.gz" "$work/heart_masks/$case_id.nii.gz"
done

score() { # name task format images masks
  s3net segment "$4" --task "$2" --formats "$3" --output "$work/out/$1"
  s3net evaluate --predictions "$work/out/$1" --labels "$5" --output "$root/docs/benchmark/$1.json" | tail -3
}
score ph2 skin png "$work/ph2" "$work/ph2_masks"
score isic2018_val skin png "$data/skin/isic2018/val/images" "$data/skin/isic2018/val/masks"
score lung_slices lung png "$data/lung/slices512/images" "$data/lung/slices512/masks"
score lung_volume lung nifti "$work/volume" "$work/volume_mask"
score hearts cardiac nifti "$work/hearts" "$work/heart_masks"
