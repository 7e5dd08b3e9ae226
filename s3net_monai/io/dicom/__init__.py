"""DICOM: files and headers, CT series, visible-light images, and segmentation objects."""
