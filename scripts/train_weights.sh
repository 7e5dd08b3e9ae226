#!/usr/bin/env bash
# Trains all released weights anew: skin and lung from unlabeled images (`s3net prepare` checks masks, training never
# opens one), hearts with the masks of eight patients.
# Usage: train_weights.sh DATA OUTPUT; DATA holds skin/ph2, skin/isic2018, lung/volumes, lung/slices64,
# dicom/chest_A0001 and cardiac/acdc.
set -euo pipefail
data=$(cd "${1:?DATA is missing: give the folder of the data sets, make ... DATA=folder}" && pwd)
out=$(mkdir -p "$2" && cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)

for set in ph2:skin/ph2 isic2018:skin/isic2018 lung_volumes:lung/volumes kaggle_lung:lung/slices64 \
  dicom:dicom/chest_A0001 acdc:cardiac/acdc; do
  s3net prepare "${set%%:*}" "$data/${set#*:}" "$out/data/${set%%:*}"
done

train() {
  local bundle=$root/bundle/$1
  python -m monai.bundle run training --bundle_root "$bundle" --config_file "$bundle/configs/train.json" \
    --logging_file "$bundle/configs/logging.conf" --dataset_dir "$2" --output_dir "$out/$1"
}
train skin_lesion_segmentation "['$out/data/isic2018','$out/data/ph2']"
train lung_ct_segmentation "['$out/data/lung_volumes','$out/data/dicom','$out/data/kaggle_lung']"

heart=$root/bundle/cardiac_mr_segmentation
python -m monai.bundle run training --bundle_root "$heart" --config_file "$heart/configs/train.json" \
  --logging_file "$heart/configs/logging.conf" --dataset_dir "$out/data/acdc" \
  --num_labeled_patients 8 --iterations 10000 --output_dir "$out/cardiac_mr_segmentation"
echo "Trained: $out/*/model.pt; copy them to bundle/*/models/ to use them"
