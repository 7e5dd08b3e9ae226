"""Which decoder reads which transfer syntax, and a decoder for JPEG that pydicom lacks."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder, DecodeRunner

TURBO = "libjpeg-turbo"
_TURBO_SYNTAXES = (uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
# What pydicom asks of the module of a decoder that is added to it.
DECODER_DEPENDENCIES = dict.fromkeys(_TURBO_SYNTAXES, ("imagecodecs>=2025.3.30",))

# The first one that is installed decodes; without any, whatever else pydicom finds. Of the decoders that pydicom knows,
# some fill in what they cannot read, and some end the process on a damaged stream; these do neither as far as was seen.
_PREFERRED = {
    uid.JPEGBaseline8Bit: ("pillow",),
    uid.JPEGExtended12Bit: (TURBO,),
    uid.JPEGLossless: (TURBO,),
    uid.JPEGLosslessSV1: (TURBO,),
    uid.JPEGLSLossless: ("pyjpegls",),
    uid.JPEGLSNearLossless: ("pyjpegls",),
    uid.JPEG2000Lossless: ("pylibjpeg", "pillow"),
    uid.JPEG2000: ("pylibjpeg", "pillow"),
    uid.RLELossless: ("pydicom",),
}


def decoder_for(syntax: uid.UID) -> Decoder:
    """Return pydicom's decoder of a transfer syntax, to which ours is added.

    Raises:
        NotImplementedError: for a transfer syntax that pydicom does not know.
    """
    _add_turbo()
    return get_decoder(syntax)


@functools.cache
def _add_turbo() -> None:
    for syntax in _TURBO_SYNTAXES:
        get_decoder(syntax).add_plugin(TURBO, (__name__, "decode_jpeg"))


def preferred_plugin(syntax: uid.UID) -> str:
    """Return the name of the decoder that pydicom is to use; empty for any."""
    available = decoder_for(syntax).available_plugins
    return next((name for name in _PREFERRED.get(syntax, ()) if name in available), "")


def is_available(syntax: uid.UID) -> bool:
    """Say whether ``decode_jpeg`` can decode a transfer syntax: the interface of pydicom's decoders."""
    return syntax in DECODER_DEPENDENCIES and importlib.util.find_spec("imagecodecs") is not None


def decode_jpeg(stream: bytes, runner: DecodeRunner) -> bytearray:
    """Decode a JPEG codestream, lossless or lossy, of up to 16 or 12 bits: the interface of pydicom's decoders.

    Color stays as it is stored; pydicom converts it.

    Args:
        stream: one frame.
        runner: pydicom's description of the frame.

    Returns:
        Values of a pixel together, in the number of bits that the header allocates.

    Raises:
        ValueError: if the codestream is damaged, or of another size than the header says.
    """
    import imagecodecs

    color: dict[str, Any] = {}
    if runner.samples_per_pixel == 3:
        space = "RGB" if runner.photometric_interpretation == "RGB" else "YCbCr"
        color = {"colorspace": space, "outcolorspace": space}
    try:
        frame = imagecodecs.jpeg8_decode(stream, **color)
    except imagecodecs.Jpeg8Error as error:
        raise ValueError(str(error)) from None
    expected = (runner.rows, runner.columns, *([runner.samples_per_pixel] if runner.samples_per_pixel > 1 else []))
    if frame.shape != expected:
        raise ValueError(f"{frame.shape} found, {expected} expected")
    return bytearray(frame.astype(np.dtype(f"<u{runner.bits_allocated // 8}")).tobytes())
