"""Images and labels whose compressed stream does not fit its checksum or length are refused, whatever the format."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import LoadImage

import s3net_monai
from benchmarks.faults import sound_files
from benchmarks.faults.header_edits import with_tag
from benchmarks.faults.sound_files import Files, with_png_checksums
from benchmarks.faults.toy_bundle import toy_bundle
from s3net_monai.inference import load_bundle
from s3net_monai.io import (
    CaseError,
    DicomSeriesReader,
    Image2DReader,
    LabelReader,
    NiftiReader,
    RefuseOthersReader,
    VolumeReader,
    limits,
    upright_gray,
)

LABEL = sound_files.labels()
READERS = (RefuseOthersReader("an image"), Image2DReader(upright_gray), NiftiReader(), VolumeReader())


@dataclass(frozen=True)
class Kind:
    """A format: files, the one to give, and how the compressed stream of one of them is exchanged."""

    files: Callable[[], Files]
    main: str
    trailer: int  # bytes of checksum, and length
    with_stream: Callable[[Files, Callable[[bytes], bytes]], Files]


def whole(name: str) -> Callable[[Files, Callable[[bytes], bytes]], Files]:
    return lambda files, change: {**files, name: change(files[name])}


def behind(name: str, start: Callable[[bytes], int]) -> Callable[[Files, Callable[[bytes], bytes]], Files]:
    def with_stream(files: Files, change: Callable[[bytes], bytes]) -> Files:
        data = files[name]
        head, stream = data[: start(data)], data[start(data) :]
        changed = change(stream)
        size = b"CompressedDataSize = %d"
        return {**files, name: head.replace(size % len(stream), size % len(changed)) + changed}

    return with_stream


def of_tiff(files: Files, change: Callable[[bytes], bytes]) -> Files:
    """Put the changed strip at the end of the file."""
    data = files["a.tif"]
    first, end = sound_files.tiff_span(data)
    stream = change(data[first:end])
    moved = with_tag(279, len(stream))(with_tag(273, len(data))(data))
    return {"a.tif": moved + stream}


def of_png(files: Files, change: Callable[[bytes], bytes]) -> Files:
    """Exchange the pixels, with the right checksum of their chunk."""
    data = files["a.png"]
    start = data.index(b"IDAT") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big")
    stream = change(data[start : start + length])
    changed = data[: start - 8] + len(stream).to_bytes(4, "big") + b"IDAT" + stream + data[start + length :]
    return {"a.png": with_png_checksums(changed)}


def volume(name: str) -> Callable[[], Files]:
    return lambda: sound_files.itk_volume(name, compress=True, array=LABEL)


KINDS = {
    "NIfTI": Kind(lambda: sound_files.nifti("a.nii.gz", array=LABEL), "a.nii.gz", 8, whole("a.nii.gz")),
    "NRRD": Kind(volume("a.nrrd"), "a.nrrd", 8, behind("a.nrrd", sound_files.nrrd_start)),
    "NRRD detached": Kind(volume("a.nhdr"), "a.nhdr", 8, whole("a.raw.gz")),
    "MetaImage": Kind(volume("a.mha"), "a.mha", 4, behind("a.mha", sound_files.meta_start)),
    "segmentation": Kind(
        sound_files.segmentation, "label.seg.nrrd", 8, behind("label.seg.nrrd", sound_files.nrrd_start)
    ),
    "PNG": Kind(lambda: sound_files.picture("a.png", label=True), "a.png", 4, of_png),
    "TIFF": Kind(
        lambda: sound_files.picture("a.tif", label=True, compression="tiff_adobe_deflate"), "a.tif", 4, of_tiff
    ),
}


def wrong_checksum(stream: bytes, trailer: int) -> bytes:
    position = len(stream) - trailer
    return stream[:position] + bytes([stream[position] ^ 1]) + stream[position + 1 :]


def wrong_length(stream: bytes, trailer: int) -> bytes:
    return stream[:-4] + bytes([stream[-4] ^ 1]) + stream[-3:]


FAULTS: dict[str, Callable[[bytes, int], bytes]] = {
    "wrong checksum": wrong_checksum,
    "wrong length": wrong_length,  # of zlib, which has none, the checksum again
    "cut in the checksum": lambda stream, trailer: stream[: -trailer + 1],
    "cut in the last bytes": lambda stream, trailer: stream[:-1],
    "without checksum": lambda stream, trailer: stream[:-trailer],
    "other bytes follow": lambda stream, trailer: stream + b"more",
}


def write(folder: Path, files: Files) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def image_of(folder: Path, kind: Kind) -> np.ndarray:
    return np.asarray(LoadImage(reader=list(READERS), image_only=True)(folder / kind.main))


def label_of(folder: Path, kind: Kind) -> np.ndarray:
    return np.asarray(LoadImage(reader=LabelReader(binary=True), image_only=True)(folder / kind.main))


def readers_of(name: str) -> list[Callable[[Path, Kind], np.ndarray]]:
    return [label_of] if name == "segmentation" else [image_of, label_of]


@pytest.mark.parametrize("name", KINDS)
def test_sound_streams_are_read_with_zeros_behind_them_as_well(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    files = kind.files()
    for zeros in (b"", bytes(3)):
        write(tmp_path, kind.with_stream(files, lambda stream, zeros=zeros: stream + zeros))
        for read in readers_of(name):
            array = read(tmp_path, kind)
            expected = LABEL[..., 3] if name in ("PNG", "TIFF") else LABEL
            np.testing.assert_array_equal(array > 0, expected)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", KINDS)
def test_damaged_streams_are_refused(name: str, fault: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    write(tmp_path, kind.with_stream(kind.files(), lambda stream: FAULTS[fault](stream, kind.trailer)))
    for read in readers_of(name):
        with pytest.raises(CaseError) as refusal:
            read(tmp_path, kind)
        text = str(refusal.value)
        assert text.startswith(f"{kind.main}: damaged or cut off ("), text
        assert "\n" not in text
        assert str(tmp_path) not in text


@pytest.mark.parametrize("name", ["NIfTI", "NRRD", "MetaImage", "segmentation"])
@pytest.mark.parametrize("surplus", [-40 * 32, 40 * 32])
def test_sound_streams_of_another_length_are_refused(name: str, surplus: int, tmp_path: Path) -> None:
    kind = KINDS[name]
    wbits = zlib.MAX_WBITS | (16 if kind.trailer == 8 else 0)

    def other_length(stream: bytes) -> bytes:
        expanded = zlib.decompress(stream, wbits)
        packer = zlib.compressobj(wbits=wbits)
        return packer.compress(expanded[:surplus] if surplus < 0 else expanded + bytes(surplus)) + packer.flush()

    write(tmp_path, kind.with_stream(kind.files(), other_length))
    for read in readers_of(name):
        with pytest.raises(CaseError, match="expected"):
            read(tmp_path, kind)


@pytest.mark.parametrize("name", ["NIfTI", "NRRD", "MetaImage", "segmentation", "PNG", "TIFF"])
def test_a_stream_that_expands_without_end_is_left_early(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS[name]
    wbits = zlib.MAX_WBITS | (16 if kind.trailer == 8 else 0)

    def endless(stream: bytes) -> bytes:
        packer = zlib.compressobj(wbits=wbits)
        return packer.compress(zlib.decompress(stream, wbits) + bytes(2**25)) + packer.flush()

    write(tmp_path, kind.with_stream(kind.files(), endless))
    expanded: list[int] = []
    make = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self.stream = make(wbits)

        def decompress(self, data: bytes, most: int = 0) -> bytes:
            block = self.stream.decompress(data, most)
            expanded.append(len(block))
            return block

        def __getattr__(self, attribute: str) -> object:
            return getattr(self.stream, attribute)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    for read in readers_of(name):
        with pytest.raises(CaseError, match="expected"):
            read(tmp_path, kind)
    assert 0 < sum(expanded) < 2**23


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def test_every_chunk_of_png_is_checked(tmp_path: Path) -> None:
    kind = KINDS["PNG"]
    data = kind.files()["a.png"]
    (tmp_path / "a.png").write_bytes(data + b"comment of a program")  # behind the last chunk, where no pixel is
    np.testing.assert_array_equal(image_of(tmp_path, kind) > 0, LABEL[..., 3])
    for position in range(8, len(data)):
        (tmp_path / "a.png").write_bytes(flipped(data, position))
        with pytest.raises(CaseError, match=r"^a\.png: "):
            label_of(tmp_path, kind)


def test_a_deflated_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sound_files.series(deflated=True)
    write(tmp_path, files)
    reader = DicomSeriesReader()
    sound = reader.get_data(reader.read(tmp_path))[0]
    (tmp_path / "1.dcm").write_bytes(files["1.dcm"].rstrip(b"\0") + bytes(2))
    np.testing.assert_array_equal(reader.get_data(reader.read(tmp_path))[0], sound)
    for damaged in (files["1.dcm"].rstrip(b"\0")[:-1], files["1.dcm"] + b"more"):
        (tmp_path / "1.dcm").write_bytes(damaged)
        with pytest.raises(CaseError, match=r"^1\.dcm: damaged or cut off"):
            reader.get_data(reader.read(tmp_path))
    write(tmp_path, files)
    monkeypatch.setattr(limits, "MAX_DEFLATED_BYTES", 1000)
    with pytest.raises(CaseError, match=r"\.dcm: expands beyond the limit of 1000 bytes"):
        reader.get_data(reader.read(tmp_path))


def test_the_table_of_a_disc_with_deflated_files_is_no_deflated_file(tmp_path: Path) -> None:
    """It names their transfer syntax near its start."""
    from s3net_monai.io.dicom.dicomdir import read_dicomdir

    files = sound_files.disc(deflated=True)
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert len(read_dicomdir(tmp_path / "DICOMDIR").files) == 5


def test_a_run_refuses_them(tmp_path: Path) -> None:
    bundle = load_bundle("lung", toy_bundle(tmp_path / "toy_lung", "lung"), torch.device("cpu"))
    for name in ("NIfTI", "NRRD", "MetaImage"):
        kind = KINDS[name]
        write(tmp_path, kind.files())
        s3net_monai.segment(tmp_path / kind.main, bundle=bundle)
        write(tmp_path, kind.with_stream(kind.files(), lambda stream, kind=kind: wrong_checksum(stream, kind.trailer)))
        with pytest.raises(CaseError, match=f"^{kind.main}: damaged or cut off"):
            s3net_monai.segment(tmp_path / kind.main, bundle=bundle)
