"""Label-free medical image segmentation with S3-Net, built on MONAI."""

__version__ = "0.2.0"
