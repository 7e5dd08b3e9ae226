"""Conversion between the two world coordinate systems of the field."""

from __future__ import annotations

import numpy as np

# DICOM (PS3.3 C.7.6.2.1.1), ITK and Slicer files count millimeters to the patient's left and posterior (LPS); NIfTI
# and MONAI to the right and anterior (RAS). The flip is its own inverse.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
LPS_TO_RAS.flags.writeable = False
