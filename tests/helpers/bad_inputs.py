"""Inputs that must be refused, one of each kind, and the text of each refusal."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML

from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_tools import TILTED_PLANE
from tests.helpers.mixed_dicom import make_series, write_structure_set

HU = np.zeros((6, 8, 8), dtype=np.int16)
MIN_RATIO_BYTES = 2**20  # bytes: the limit of ``io.limits`` must be set to this for the zip bomb to exceed it


def make_bad_inputs(folder: Path) -> None:
    """Write one input of every kind into the tree, as ``bad <kind>``, in some cases below the patient's name."""
    for number, (kind, (make, _)) in enumerate(BAD.items()):
        subfolder = folder / (f"bad{number // 5}" if number % 2 else "zebra_quagga")
        subfolder.mkdir(parents=True, exist_ok=True)
        make(subfolder / f"bad {kind}")


def _cut_nifti(path: Path) -> None:
    rng = np.random.default_rng(1)
    nibabel.save(nibabel.Nifti1Image(rng.integers(-900, 900, (9, 9, 9), dtype=np.int16), np.eye(4)), f"{path}.nii")
    whole = gzip.compress(Path(f"{path}.nii").read_bytes())
    Path(f"{path}.nii").unlink()
    Path(f"{path}.nii.gz").write_bytes(whole[: len(whole) * 3 // 4])


def _text(path: Path) -> None:
    Path(f"{path}.nii.gz").write_text("patient was moved to another ward\n")


def _frames(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 3), np.int16), np.eye(4)), f"{path}.nii")


def _singular(path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    image.header.set_sform(np.diag([1.0, 1.0, 0.0, 1.0]), 1)
    image.header.set_qform(None, 0)
    nibabel.Nifti1Image(image.dataobj, None, image.header).to_filename(f"{path}.nii")


def _color(path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((4, 4, 4, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(image, f"{path}.nrrd")


def _empty(path: Path) -> None:
    Path(f"{path}.mha").touch()


def _elsewhere(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(HU), f"{path}.nhdr")
    header = Path(f"{path}.nhdr")
    data = header.with_suffix(".raw")
    data.rename(path.parent / "elsewhere" / data.name)
    header.write_text(header.read_text().replace(f"data file: {data.name}", f"data file: elsewhere/{data.name}"))


def _image_bomb(path: Path) -> None:
    Image.new("L", (4, 4)).save(f"{path}.png")
    content = bytearray(Path(f"{path}.png").read_bytes())
    struct.pack_into(">II", content, 16, 60_000, 60_000)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    Path(f"{path}.png").write_bytes(content)


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    path = path.with_name(f"{path.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _slip(path: Path) -> None:
    _zip(path, {"a.png": b"", "../../evil.png": b"x"})


def _zip_bomb(path: Path) -> None:
    _zip(path, {"a.nii": bytes(4 * MIN_RATIO_BYTES)})


def _encrypted(path: Path) -> None:
    archive = _zip(path, {"a.nii": b"1"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)


def _no_images(path: Path) -> None:
    file = write_structure_set(path.with_name("structures.dcm"), "1.2.826.0.1.5")
    _zip(path, {"structures.dcm": file.read_bytes()})
    file.unlink()


def _series(change: Callable[[SeriesMaker], None], **geometry: tuple[float, ...]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        maker = make_series(HU, **geometry)
        change(maker)
        maker.save(path, [f"zebra{index}.dcm" for index in range(len(maker.slices))])

    return make


def _without_one(maker: SeriesMaker) -> None:
    del maker.slices[2]


def _doubled(maker: SeriesMaker) -> None:
    maker.slices[3].ImagePositionPatient = maker.slices[2].ImagePositionPatient


def _sheared(maker: SeriesMaker) -> None:
    for index, dataset in enumerate(maker.slices):
        dataset.ImagePositionPatient = [0, 0, 3 * index]


def _scouts(maker: SeriesMaker) -> None:
    for dataset in maker.slices:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def _one_smaller(maker: SeriesMaker) -> None:
    maker.slices[4].Rows, maker.slices[4].PixelData = 4, bytes(4 * 8 * 2)


def _headers_only(maker: SeriesMaker) -> None:
    for dataset in maker.slices:
        del dataset.PixelData


def _film(maker: SeriesMaker) -> None:
    for dataset in maker.slices:
        dataset.PixelData = encapsulate([b"\x00\x00\x01\xb3"])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.file_meta.TransferSyntaxUID = MPEG2MPML


def _magnetic(maker: SeriesMaker) -> None:
    for dataset in maker.slices:
        dataset.Modality = "MR"
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut nifti": (_cut_nifti, "damaged or cut off (its compressed stream has no end)"),
    "text": (_text, "not readable as NIfTI"),
    "frames": (_frames, "4x4x4x3 has several channels or frames, one 3-D volume expected"),
    "singular": (_singular, "its affine is not invertible"),
    "color": (_color, "3x4x4x4 has 4 axes, one 3-D volume expected"),
    "empty": (_empty, "damaged header"),
    "elsewhere": (_elsewhere, "its data file is outside its own folder"),
    "image bomb": (_image_bomb, "beyond the limit of 150000000 pixels"),
    "slip": (_slip, "a member would leave the folder"),
    "zip bomb": (_zip_bomb, "expands to more than 100 times its size"),
    "encrypted": (_encrypted, "encrypted; unpack it yourself"),
    "no images": (_no_images, "no image found (1 other files in it)"),
    "missing slice": (_series(_without_one), "missing slice: a gap of 4.00 mm, not 2.00 mm"),
    "duplicate": (_series(_doubled), "duplicate position"),
    "tilt": (_series(_sheared, orientation=TILTED_PLANE), "gantry tilt: slices are sheared by 15.0 degrees"),
    "localizer": (_series(_scouts), "localizer only"),
    "sizes": (_series(_one_smaller), "inconsistent size"),
    "no pixels": (_series(_headers_only), "no pixel data"),
    "film": (_series(_film), "undecodable transfer syntax"),
    "magnetic": (_series(_magnetic), "not CT but MR"),
}
