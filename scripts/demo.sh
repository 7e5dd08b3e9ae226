#!/usr/bin/env bash
# The whole way once: images, a short label-free training, masks by the released weights, scores, pictures.
# Usage: demo.sh OUTPUT [DATA]; with DATA, a folder laid out like the shared data, the images are real.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
data=${2:+$(cd "$2" && pwd)}
root=$(cd "$(dirname "$0")/.." && pwd)
lung=$root/bundle/lung_ct_segmentation
skin=$root/bundle/skin_lesion_segmentation
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

say() { printf '\n== %s\n' "$*"; }

rm -rf "${out:?}"/*
if [ -z "$data" ]; then
  say "Phantoms: one chest CT as a DICOM series, ten dermoscopy pictures, with exact truth"
  s3net phantom lung "$out/lung" --dicom --shape 192 192 96
  s3net phantom skin "$out/skin" --count 10
  ct=$out/lung/images/lung_0000 ct_labels=$out/lung/labels
  pictures=$out/skin/images picture_labels=$out/skin/labels
  training=$out/skin
else
  say "Real images from DATA"
  s3net prepare ph2 "$data/skin/ph2" "$out/skin"
  mkdir -p "$out/pictures" "$out/picture_labels" "$out/ct" "$out/ct_labels"
  find "$data/skin/ph2/images" -name '*.jpg' | sort | head -10 | while read -r picture; do
    cp "$picture" "$out/pictures/"
    cp "$data/skin/ph2/masks/$(basename "$picture" .jpg).png" "$out/picture_labels/"
  done
  cp "$data/lung/volumes/id003_ct.nii.gz" "$out/ct/"
  cp "$data/lung/volumes/id003_lung.nii.gz" "$out/ct_labels/"
  ct=$out/ct ct_labels=$out/ct_labels
  pictures=$out/pictures picture_labels=$out/picture_labels
  training=$out/skin
fi

say "A short label-free training through monai.bundle; no mask is opened"
python -m monai.bundle run training --bundle_root "$skin" --config_file "$skin/configs/train.json" \
  --dataset_dir "$training" --output_dir "$out/training" --max_epochs 15 --spatial_size "[64,64]" --batch_size 4

say "Masks by the released weights"
if [ -z "$data" ]; then
  s3net segment "$ct" --task lung --formats nifti,dicomseg --output "$out/lung_masks"
else
  s3net segment "$ct" --task lung --formats nifti --output "$out/lung_masks"
  s3net segment "$data/dicom/chest_A0001" --task lung --formats nifti,dicomseg --output "$out/dicom_masks"
fi
s3net segment "$pictures" --task skin --formats png --output "$out/skin_masks"

say "Dice against the truth, which nothing above has seen: lung"
s3net evaluate --predictions "$out/lung_masks" --labels "$ct_labels" --output "$out/lung_scores.json"
say "Dice against the truth, which nothing above has seen: skin"
s3net evaluate --predictions "$out/skin_masks" --labels "$picture_labels" --output "$out/skin_scores.json"

say "Written to $out: masks, DICOM SEG, report.json and scores"
