#!/usr/bin/env bash
# All steps in turn: images, a short label-free training, masks by the released weights, scores, previews.
# Usage: demo.sh OUTPUT [DATA]; with DATA, a folder laid out as docs/training.md says, the images are real.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
data=${2:+$(cd "$2" && pwd)}
root=$(cd "$(dirname "$0")/.." && pwd)
lung=$root/bundle/lung_ct_segmentation
skin=$root/bundle/skin_lesion_segmentation
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

say() { printf '\n== %s\n' "$*"; }

rm -rf "${out:?}"/*
say "The demo takes about five minutes on two cores"
if [ -z "$data" ]; then
  say "Phantoms: one chest CT as a DICOM series, ten dermoscopy images, with exact ground truth"
  s3net phantom lung "$out/lung" --dicom --shape 192 192 96
  s3net phantom skin "$out/skin" --count 10
  ct=$out/lung/images/lung_0000 ct_labels=$out/lung/labels
  images_2d=$out/skin/images labels_2d=$out/skin/labels
  training=$out/skin
else
  say "Real images from DATA"
  s3net prepare ph2 "$data/skin/ph2" "$out/skin"
  mkdir -p "$out/images_2d" "$out/labels_2d" "$out/ct" "$out/ct_labels"
  find "$data/skin/ph2/images" -name '*.jpg' | sort | head -10 | while read -r image; do
    cp "$image" "$out/images_2d/"
    cp "$data/skin/ph2/masks/$(basename "$image" .jpg).png" "$out/labels_2d/"
  done
  cp "$data/lung/volumes/id003_ct.nii.gz" "$out/ct/"
  cp "$data/lung/volumes/id003_lung.nii.gz" "$out/ct_labels/"
  ct=$out/ct ct_labels=$out/ct_labels
  images_2d=$out/images_2d labels_2d=$out/labels_2d
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
s3net segment "$images_2d" --task skin --formats png --output "$out/skin_masks"

say "Dice against the ground truth, which nothing above has read: lung"
s3net evaluate --predictions "$out/lung_masks" --labels "$ct_labels" --output "$out/lung_scores.json"
say "Dice against the ground truth, which nothing above has read: skin"
s3net evaluate --predictions "$out/skin_masks" --labels "$labels_2d" --output "$out/skin_scores.json"

say "Masks, DICOM SEG, reports and scores are in $out; open $out/skin_masks/report.html"
