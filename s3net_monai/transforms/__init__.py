"""Dictionary transforms: labeling functions, intensities, geometry and validation.

They work on arrays in memory and read no files. ``Superpixelsd`` alone can write to a folder, its cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3net_monai.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from s3net_monai.transforms.air_constraint import ConstrainToAird, constrain_to_air
    from s3net_monai.transforms.components import KeepCentralComponentd, KeepLargestComponentsd
    from s3net_monai.transforms.crop_surround import CropSurroundd
    from s3net_monai.transforms.ct_intensity import CTIntensityd
    from s3net_monai.transforms.ct_values import CTValuesd
    from s3net_monai.transforms.display_orientation import DisplayOrientationd, upside_down_axes
    from s3net_monai.transforms.fill_non_finite import FillNonFinited
    from s3net_monai.transforms.foreground import Foregroundd
    from s3net_monai.transforms.highest_class import HighestClassd
    from s3net_monai.transforms.in_plane_spacing import InPlaneSpacingd
    from s3net_monai.transforms.jitter_mask import jitter_masks
    from s3net_monai.transforms.label_on_image import LabelOnImaged
    from s3net_monai.transforms.largest_of_classes import KeepLargestOfClassesd
    from s3net_monai.transforms.lung_labeling import lung_weak_label
    from s3net_monai.transforms.mask_on_source import MaskOnSourced
    from s3net_monai.transforms.named_steps import compose_steps
    from s3net_monai.transforms.percentile_intensity import PercentileIntensityd
    from s3net_monai.transforms.rand_gin import RandGINd
    from s3net_monai.transforms.rand_skin_artifacts import RandSkinArtifactsd
    from s3net_monai.transforms.rand_window import RandWindowd
    from s3net_monai.transforms.resample import ResampleToSpacingd
    from s3net_monai.transforms.second_view import SecondViewd
    from s3net_monai.transforms.set_filename import SetFilenameFromCaseIdd
    from s3net_monai.transforms.skin_labeling import skin_lesion_prior, skin_weak_label
    from s3net_monai.transforms.slice_to_volume import SliceToVolumed
    from s3net_monai.transforms.smooth_resize import SmoothResized
    from s3net_monai.transforms.solidity import Solidityd
    from s3net_monai.transforms.start_at_zero import StartAtZerod
    from s3net_monai.transforms.superpixels import Superpixelsd
    from s3net_monai.transforms.validate import RefuseMasksd, ValidateChannelsd, ValidateLabelsd
    from s3net_monai.transforms.weak_label import CenterWeakLabeld, LungWeakLabeld, SkinWeakLabeld, WeakLabeld
    from s3net_monai.transforms.weak_label_refinement import RefineWithWeakLabelsd
else:
    __getattr__, __dir__ = lazy_names(__name__, __file__)

__all__ = [
    "CTIntensityd",
    "CTValuesd",
    "CenterWeakLabeld",
    "ConstrainToAird",
    "CropSurroundd",
    "DisplayOrientationd",
    "FillNonFinited",
    "Foregroundd",
    "HighestClassd",
    "InPlaneSpacingd",
    "KeepCentralComponentd",
    "KeepLargestComponentsd",
    "KeepLargestOfClassesd",
    "LabelOnImaged",
    "LungWeakLabeld",
    "MaskOnSourced",
    "PercentileIntensityd",
    "RandGINd",
    "RandSkinArtifactsd",
    "RandWindowd",
    "RefineWithWeakLabelsd",
    "RefuseMasksd",
    "ResampleToSpacingd",
    "SecondViewd",
    "SetFilenameFromCaseIdd",
    "SkinWeakLabeld",
    "SliceToVolumed",
    "SmoothResized",
    "Solidityd",
    "StartAtZerod",
    "Superpixelsd",
    "ValidateChannelsd",
    "ValidateLabelsd",
    "WeakLabeld",
    "compose_steps",
    "constrain_to_air",
    "jitter_masks",
    "lung_weak_label",
    "skin_lesion_prior",
    "skin_weak_label",
    "upside_down_axes",
]
