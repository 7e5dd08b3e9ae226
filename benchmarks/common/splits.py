"""Names of the report splits, as JSON files and tables show them.

This module imports nothing, so that scripts can read the names without the packages that segment.
"""

PH2 = "PH2"
ISIC = "ISIC 2018 val"
LUNG_SLICES = "LungSegDB"
LUNG_VOLUME = "volume id003"
# The released lung weights and the supervised U-Net were trained on the images of these volumes.
LUNG_TRAINING_VOLUMES = "volumes id001-002"

LUNG_VOLUME_SPLITS = {"id003": LUNG_VOLUME, "id001": LUNG_TRAINING_VOLUMES, "id002": LUNG_TRAINING_VOLUMES}
