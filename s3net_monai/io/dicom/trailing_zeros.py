"""Zero bytes that writers append to pixel data, which belong to no pixel.

PS3.5 section 8.1.1 asks readers to be prepared for more of them than the one that makes the length even.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

RLE_HEADER = 64  # bytes: number of segments, and 15 offsets (PS3.5 section G.5)


def zeros_note(count: int, names: Sequence[str]) -> str:
    """Return the line for a report about ``count`` zero bytes that were dropped from the files of these names."""
    files = names[0] if len(names) == 1 else f"{len(names)} files"
    return f"{count} zero bytes after the pixel data of {files} left out"


def drop_zeros_after(dataset: Dataset, length: int) -> int:
    """Cut native pixel data to ``length`` bytes where only zeros follow, and return how many they were.

    One byte that makes an odd length even is no surplus, and data with other bytes behind it stays as it is.
    """
    surplus = dataset.PixelData[length:]
    if len(surplus) <= length % 2 or surplus.strip(b"\0"):
        return 0
    dataset.PixelData = dataset.PixelData[: length + length % 2]
    return len(surplus) - length % 2


def drop_zeros_of_frames(dataset: Dataset, frames: Sequence[bytes], *, is_rle: bool, segment_length: int) -> int:
    """Store encapsulated frames anew without the zeros after their codestreams, and return how many they were.

    Nothing is changed where no frame has more than one of them.

    Args:
        dataset: holds the frames as its PixelData.
        frames: the codestreams, in order.
        is_rle: whether they are run lengths, which may themselves end in zeros; JPEG's families end in a marker.
        segment_length: bytes that a segment of run lengths expands to.
    """
    from pydicom.encaps import encapsulate

    ends = [_end_of_rle(frame, segment_length) if is_rle else len(frame.rstrip(b"\0")) for frame in frames]
    surplus = [len(frame) - end if not frame[end:].strip(b"\0") else 0 for frame, end in zip(frames, ends, strict=True)]
    if max(surplus, default=0) <= 1:
        return 0
    dataset.PixelData = encapsulate(
        [frame[: len(frame) - zeros] for frame, zeros in zip(frames, surplus, strict=True)], has_bot=False
    )
    dataset["PixelData"].is_undefined_length = True
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):  # of the longer frames
        if keyword in dataset:
            del dataset[keyword]
    return sum(surplus)


def _end_of_rle(frame: bytes, segment_length: int) -> int:
    """Return where the last segment has expanded to ``segment_length`` bytes (PS3.5 section G.3.2).

    The whole length is returned for a frame that ends before or without zeros, or whose header is damaged.
    """
    count = int.from_bytes(frame[:4], "little")
    if not 1 <= count <= 15 or frame[-2:] != b"\0\0":
        return len(frame)
    position = int.from_bytes(frame[4 * count : 4 * count + 4], "little")
    if position < RLE_HEADER:
        return len(frame)
    expanded = 0
    while expanded < segment_length and position < len(frame):
        head = frame[position]
        if head < 128:  # a run of literal bytes
            position, expanded = position + 2 + head, expanded + 1 + head
        elif head > 128:  # one byte, repeated
            position, expanded = position + 2, expanded + 257 - head
        else:
            position += 1
    return min(position, len(frame))
