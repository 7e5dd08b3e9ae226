"""Input and output files: validating image readers, mask writers and the label table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3net_monai.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from s3net_monai.io.dicom.reader import DicomSeriesReader
    from s3net_monai.io.dicom.vl_image import DicomVLImageReader
    from s3net_monai.io.image_2d import Image2DReader, upright_gray, upright_rgb
    from s3net_monai.io.label_maps.label_reader import LabelReader
    from s3net_monai.io.label_table import write_label_table
    from s3net_monai.io.mask import Mask
    from s3net_monai.io.nifti_reader import NiftiReader
    from s3net_monai.io.refuse_others import RefuseOthersReader
    from s3net_monai.io.volume_reader import VolumeReader
    from s3net_monai.io.writers import FORMATS, output_path, write_mask
    from s3net_monai.labels import Code, Label
    from s3net_monai.utils.errors import CaseError, UnsuitedFormatError
else:
    __getattr__, __dir__ = lazy_names(__name__, __file__)

__all__ = [
    "FORMATS",
    "CaseError",
    "Code",
    "DicomSeriesReader",
    "DicomVLImageReader",
    "Image2DReader",
    "Label",
    "LabelReader",
    "Mask",
    "NiftiReader",
    "RefuseOthersReader",
    "UnsuitedFormatError",
    "VolumeReader",
    "output_path",
    "upright_gray",
    "upright_rgb",
    "write_label_table",
    "write_mask",
]
