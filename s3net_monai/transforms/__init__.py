"""Dictionary transforms: cues, intensities, geometry. They know arrays only, no files."""

from s3net_monai.transforms.components import KeepComponentsd
from s3net_monai.transforms.ct_intensity import CTIntensityd
from s3net_monai.transforms.cue_refinement import RefineWithCuesd
from s3net_monai.transforms.cues import CueVoted
from s3net_monai.transforms.expectations import ExpectChannelsd, ExpectClassesd
from s3net_monai.transforms.in_plane_spacing import InPlaneSpacingd
from s3net_monai.transforms.jitter_mask import jitter_masks
from s3net_monai.transforms.lung_air import FitToAird, fit_to_air
from s3net_monai.transforms.lung_cues import lung_vote
from s3net_monai.transforms.named_by_case import NamedByCased
from s3net_monai.transforms.picture_as_volume import PictureAsVolumed
from s3net_monai.transforms.rand_foreign_objects import RandForeignObjectsd
from s3net_monai.transforms.rand_intensity_network import RandIntensityNetworkd
from s3net_monai.transforms.rand_window import RandWindowd
from s3net_monai.transforms.resample import ResampleToSpacingd
from s3net_monai.transforms.second_view import SecondViewd
from s3net_monai.transforms.skin_cues import skin_evidence, skin_vote
from s3net_monai.transforms.solidity import Solidityd
from s3net_monai.transforms.superpixels import Superpixelsd
from s3net_monai.transforms.upright_slices import UprightSlicesd, upside_down_axes

__all__ = [
    "CTIntensityd",
    "CueVoted",
    "ExpectChannelsd",
    "ExpectClassesd",
    "FitToAird",
    "InPlaneSpacingd",
    "KeepComponentsd",
    "NamedByCased",
    "PictureAsVolumed",
    "RandForeignObjectsd",
    "RandIntensityNetworkd",
    "RandWindowd",
    "RefineWithCuesd",
    "ResampleToSpacingd",
    "SecondViewd",
    "Solidityd",
    "Superpixelsd",
    "UprightSlicesd",
    "fit_to_air",
    "jitter_masks",
    "lung_vote",
    "skin_evidence",
    "skin_vote",
    "upside_down_axes",
]
