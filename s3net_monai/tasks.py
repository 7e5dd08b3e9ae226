"""The task registry: the single source of truth for which segmentation tasks exist and what each needs.

The command line, the checks of inputs, previews, measures, DICOMweb, ``s3net info``, phantoms and MONAI Label read it.
``docs/add_a_task.md`` shows how to add a task. This module imports no heavy library, so that ``s3net --help`` is quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from s3net_monai.labels import ANATOMICAL_STRUCTURE, MORPHOLOGICALLY_ABNORMAL_STRUCTURE, Code, Label
from s3net_monai.utils.errors import UsageError

Planes = Literal["orthogonal", "slices"]
SpecialMeasure = Literal["lung_sides", "lesion_shape"]


@dataclass(frozen=True, kw_only=True)
class PreviewStyle:
    """How previews show the images of a task.

    Attributes:
        window: lowest and highest value of a volume's gray scale, in HU for CT; None: its 1st and 99th percentiles.
        planes: "orthogonal" shows axial slices and one coronal and one sagittal plane; "slices" shows the slices as
            they were acquired, for stacks of thick, oblique slices.
        outline_width: width of the outline in pixels of the preview.
    """

    window: tuple[float, float] | None = None
    planes: Planes = "orthogonal"
    outline_width: int = 2


@dataclass(frozen=True, kw_only=True)
class Task:
    """One segmentation task.

    Attributes:
        name: what ``--task`` takes.
        bundle: name of the task's folder in ``bundle/``.
        dimensions: 2 for 2-D images, 3 for volumes and single slices of them.
        channels: channels of the network's input.
        modality: modality of the images, as the bundle's metadata and the datalists state it. "CT" is read as HU.
        labels: the foreground classes; values are dense from 1, since 3D Slicer's MONAI Label client names segments by
            their order.
        input_description: what the task takes, for ``--help`` and for the messages that refuse an input.
        dicom_modalities: values of Modality (0008,0060) that DICOMweb fetches; empty where the task reads no DICOM. A
            task of 3 dimensions reads series of CT or MR, one volume per phase of a cine series.
        preview: how previews show its images.
        special_measures: measures of a label, by its name, in addition to size, fraction and Hounsfield values.
    """

    name: str
    bundle: str
    dimensions: Literal[2, 3]
    channels: int
    modality: str
    labels: tuple[Label, ...]
    input_description: str
    dicom_modalities: frozenset[str] = frozenset()
    preview: PreviewStyle = PreviewStyle()
    special_measures: Mapping[str, tuple[SpecialMeasure, ...]] = field(default_factory=dict)

    @property
    def reads_dicom_series(self) -> bool:
        """Whether a DICOM series of slices can be a case."""
        return self.dimensions == 3 and bool(self.dicom_modalities)

    @property
    def channel_def(self) -> dict[str, str]:
        """The ``channel_def`` of the bundle's metadata: class index as text -> class name, background included."""
        return {"0": "background", **{str(label.value): label.name for label in self.labels}}


LUNG = Task(
    name="lung",
    bundle="lung_ct_segmentation",
    dimensions=3,
    channels=1,
    modality="CT",
    labels=(
        Label(
            value=1,
            name="lung",
            rgb=(128, 174, 128),
            category=ANATOMICAL_STRUCTURE,
            type=Code("39607008", "Lung"),
        ),
    ),
    input_description="a CT volume",
    dicom_modalities=frozenset({"CT"}),
    # Lungs are dark with visible vessels, and soft tissue differs from bone; a thin outline hides no vessel.
    preview=PreviewStyle(window=(-1050.0, 250.0), outline_width=1),
    special_measures={"lung": ("lung_sides",)},
)

SKIN = Task(
    name="skin",
    bundle="skin_lesion_segmentation",
    dimensions=2,
    channels=3,
    modality="dermoscopy",
    labels=(
        Label(
            value=1,
            name="lesion",
            rgb=(230, 120, 70),
            category=MORPHOLOGICALLY_ABNORMAL_STRUCTURE,
            type=Code("95324001", "Skin lesion"),
        ),
    ),
    input_description="2-D color images (PNG, JPEG, BMP, TIFF, DICOM VL)",
    dicom_modalities=frozenset({"XC", "DMS", "GM", "OT"}),
    special_measures={"lesion": ("lesion_shape",)},
)

CARDIAC = Task(
    name="cardiac",
    bundle="cardiac_mr_segmentation",
    dimensions=3,
    channels=1,
    modality="MR",
    # Blue for right and red for left, as usual: Slicer's own browns of these parts look alike on an image.
    labels=(
        Label(
            value=1,
            name="RV",
            rgb=(0, 151, 206),
            category=ANATOMICAL_STRUCTURE,
            type=Code("53085002", "Right ventricle"),
        ),
        Label(
            value=2,
            name="MYO",
            rgb=(128, 174, 128),
            category=ANATOMICAL_STRUCTURE,
            type=Code("49848007", "Left Ventricle Myocardium"),
        ),
        Label(
            value=3,
            name="LV",
            rgb=(216, 101, 79),
            category=ANATOMICAL_STRUCTURE,
            type=Code("87878005", "Left ventricle"),
        ),
    ),
    input_description="a DICOM series of MR, or one phase as NIfTI, NRRD or MetaImage",
    dicom_modalities=frozenset({"MR"}),
    # Short-axis slices follow the heart, not the patient's axes.
    preview=PreviewStyle(planes="slices"),
)

TASKS: dict[str, Task] = {task.name: task for task in (LUNG, SKIN, CARDIAC)}


def get_task(name: str) -> Task:
    """Return the task of this name.

    Raises:
        UsageError: for a name that is not in ``TASKS``.
    """
    if name not in TASKS:
        raise UsageError(f"task {name!r} is not known; give one of {', '.join(TASKS)}")
    return TASKS[name]


def task_inputs() -> str:
    """Return one line that names every task with what it takes, for ``--help``."""
    return "; ".join(f"{task.name}: {task.input_description}" for task in TASKS.values())
