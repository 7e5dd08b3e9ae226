"""MONAI Deploy's operator from a DICOM series to a volume, with the affine and the Hounsfield values of the series."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.deploy.operators.dicom_series_to_volume_operator import DICOMSeriesToVolumeOperator


class SeriesToVolumeOperator(DICOMSeriesToVolumeOperator):
    """MONAI Deploy's operator, to be used in its place in front of an exported bundle.

    The operator of version 4.0.0 scales the columns of the affine by the wrong components of PixelSpacing, so that
    pixels that are not square are resampled to wrong sizes, and it gives the volume the data type of its first slice:
    where that has no negative value, those of later slices wrap around. Everything else is inherited.

    Example::

        to_volume = SeriesToVolumeOperator(self, name="series_to_volume")
        self.add_flow(selector, to_volume, {("study_selected_series_list", "study_selected_series_list")})
    """

    def compute_affine_transform(self, s_1: Any, s_n: Any, n: int, series: Any) -> None:
        """Set the affines of the series: the first index counts columns, which are PixelSpacing[1] mm apart.

        PS3.3 section 10.7.1.3: PixelSpacing is the spacing between the centers of adjacent rows, then of columns.

        Args:
            s_1: the first slice.
            s_n: the last slice.
            n: number of slices, at least two.
            series: the series.
        """
        super().compute_affine_transform(s_1, s_n, n, series)
        rows_apart, columns_apart = (float(value) for value in s_1[0x0028, 0x0030].value)
        for attribute in (self.ATTRIBUTE_NIFTI_AFFINE, self.ATTRIBUTE_DICOM_AFFINE):
            affine = getattr(series, attribute).copy()
            affine[:3, 0] *= columns_apart / rows_apart
            affine[:3, 1] *= rows_apart / columns_apart
            setattr(series, attribute, affine)

    def generate_voxel_data(self, series: Any) -> np.ndarray:
        """Return (slices, rows, columns) float32 in HU."""
        from pydicom.pixels import apply_rescale

        return np.stack(
            [
                np.asarray(apply_rescale(s.get_pixel_array(), s.get_native_sop_instance()), dtype=np.float32)
                for s in series.get_sop_instances()
            ]
        )
