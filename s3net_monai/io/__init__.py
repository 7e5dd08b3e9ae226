"""Files in and out: a validating CT series reader, mask writers, one label table."""

from s3net_monai.io.dicom_reader import DicomSeriesReader
from s3net_monai.io.errors import CaseError
from s3net_monai.io.labels import LABELS, Code, Label, channel_def
from s3net_monai.io.pictures import upright_grey, upright_rgb

__all__ = ["LABELS", "CaseError", "Code", "DicomSeriesReader", "Label", "channel_def", "upright_grey", "upright_rgb"]
