"""From paths to cases: files, DICOM series, archives, and what stays private about them."""
