"""Synthetic dermoscopy with exact ground truth: uneven skin, one pigmented lesion, and artifacts such as hairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

DEFAULT_SHAPE = (384, 288)
_SKIN_TONES = np.array([[236, 203, 190], [228, 176, 152], [205, 158, 128], [176, 124, 94]], np.float32)
_LESION_TONES = np.array([[128, 78, 58], [96, 60, 46], [150, 96, 62], [82, 58, 56]], np.float32)
_PATCH_TONES = np.array([[52, 34, 30], [92, 92, 108], [172, 112, 72], [150, 72, 64]], np.float32)


def skin_phantom(shape: Sequence[int] = DEFAULT_SHAPE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Generate a dermoscopic image of one random lesion; equal arguments give equal arrays.

    Args:
        shape: (width, height) in pixels.
        seed: of the lesion and the artifacts.

    Returns:
        Image (height, width, 3) uint8 RGB, and ground truth (height, width) uint8 with 1 = lesion.
    """
    width, height = shape
    rng = np.random.default_rng([seed, 6])
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    size = float(min(width, height))
    inside, truth = _lesion_shape(rng, rows, columns, size=size)

    tone = _blend(_SKIN_TONES, rng)
    skin = tone * (1 + 0.05 * _field(rng, truth.shape, size / 6)[..., None])
    skin = skin + 4 * _field(rng, truth.shape, size / 90)[..., None] + 3 * _field(rng, truth.shape, size / 8, 3)
    lesion = _lesion_color(rng, inside, size=size, skin=tone)
    # Pigment fades over a few pixels at the border and lets some skin through everywhere.
    softness = size * rng.uniform(0.004, 0.018)
    opacity = (rng.uniform(0.8, 0.97) / (1 + np.exp(-inside / softness)))[..., None]
    image = skin * (1 - opacity) + lesion * opacity

    image *= _light(rng, rows / height, columns / width)[..., None]
    if rng.random() < 0.75:
        image = _draw_hairs(rng, image, size)
    if rng.random() < 0.4:
        image = _draw_ruler(rng, image)
    if rng.random() < 0.6:
        image *= _vignette(rng, rows, columns)[..., None]
    noise = gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), (0.6, 0.6, 0))
    image += rng.uniform(2, 5) * noise
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), truth


def _blend(tones: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first, second = rng.choice(len(tones), 2, replace=False)
    fraction = rng.uniform(0, 1)
    mixed: np.ndarray = (tones[first] * fraction + tones[second] * (1 - fraction)).astype(np.float32)
    return mixed


def _field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, channels: int = 0) -> np.ndarray:
    """Return a smooth random field of mean 0 and standard deviation 1, (height, width[, channels])."""
    size = (*shape, channels) if channels else shape
    field = gaussian_filter(rng.standard_normal(size, dtype=np.float32), (sigma, sigma, 0)[: len(size)], mode="wrap")
    unit: np.ndarray = (field - field.mean()) / max(float(field.std()), 1e-6)
    return unit


def _lesion_shape(
    rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, *, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the depth inside the border of a lobed, stretched disc in pixels, negative outside, and its mask."""
    height, width = rows.shape
    x = columns - width / 2 - rng.uniform(-0.08, 0.08) * size
    y = rows - height / 2 - rng.uniform(-0.08, 0.08) * size
    rotation = rng.uniform(0, np.pi)
    stretch = rng.uniform(1.0, 1.5)
    u = (x * np.cos(rotation) + y * np.sin(rotation)) / stretch
    v = y * np.cos(rotation) - x * np.sin(rotation)
    angle = np.arctan2(v, u)
    radius = np.full_like(rows, size * rng.uniform(0.16, 0.30))
    base = radius.copy()
    for lobes in range(2, 12):
        amplitude = rng.normal(0, 0.22 / lobes)
        radius += base * np.float32(amplitude) * np.cos(lobes * angle + np.float32(rng.uniform(0, 2 * np.pi)))
    radius += 0.015 * size * _field(rng, rows.shape, size / 30)
    inside = radius - np.hypot(u, v)
    return inside, (inside > 0).astype(np.uint8)


def _lesion_color(rng: np.random.Generator, inside: np.ndarray, *, size: float, skin: np.ndarray) -> np.ndarray:
    """Return brown with patches of other tones and a mottled network, darker towards the middle.

    The color is always darker than the skin.
    """
    shape = inside.shape
    # On darker skin the pigment is darker too, or the lesion would vanish in it.
    shade = min(1.0, 0.62 * float(skin.mean()) / float(_LESION_TONES.mean()))
    color = np.broadcast_to(_blend(_LESION_TONES, rng) * shade, (*shape, 3)).copy()
    for tone in rng.permutation(_PATCH_TONES)[: rng.integers(1, 4)]:
        patch = 1 / (1 + np.exp(-(_field(rng, shape, size / 12) - 0.9) / 0.25))
        color += (0.6 * patch)[..., None] * (tone * shade - color)
    color *= 1 + 0.06 * _field(rng, shape, size / 120)[..., None]
    depth = np.clip(inside / (0.2 * size), 0, 1)[..., None]
    return color * (1.08 - 0.2 * depth)


def _light(rng: np.random.Generator, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    slope = rng.uniform(-0.1, 0.1, 2)
    center = (down - 0.5) ** 2 + (across - 0.5) ** 2
    light: np.ndarray = 1.0 + slope[0] * (down - 0.5) + slope[1] * (across - 0.5) - rng.uniform(0, 0.35) * center
    return light.astype(np.float32)


def _overlay(image: np.ndarray, layer: Image.Image, *, color: np.ndarray, opacity: float) -> np.ndarray:
    """Paint a color where the layer, which has twice the size for smooth lines, is white."""
    cover = np.asarray(layer.resize((image.shape[1], image.shape[0]), Image.Resampling.BOX), np.float32) / 255
    return image + (opacity * cover)[..., None] * (color - image)


def _draw_hairs(rng: np.random.Generator, image: np.ndarray, size: float) -> np.ndarray:
    height, width = image.shape[:2]
    layer = Image.new("L", (2 * width, 2 * height))
    pen = ImageDraw.Draw(layer)
    heading = rng.uniform(0, np.pi)
    for _ in range(rng.integers(3, 22)):
        middle = rng.uniform(0, 1, 2) * [width, height]
        angle = heading + rng.normal(0, 0.5)
        reach = size * rng.uniform(0.15, 0.5) * np.array([np.cos(angle), np.sin(angle)])
        bend = rng.normal(0, 0.12) * np.array([-reach[1], reach[0]])
        steps = np.linspace(-1, 1, 24)[:, None]
        curve = 2 * (middle + steps * reach + (1 - steps**2) * bend)
        pen.line(
            [(float(x), float(y)) for x, y in curve], fill=255, width=max(1, round(size / 150 * rng.uniform(0.6, 2)))
        )
    return _overlay(image, layer, color=np.array([44, 32, 28], np.float32), opacity=rng.uniform(0.6, 0.9))


def _draw_ruler(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Draw millimeter marks along one edge, every fifth of them longer."""
    height, width = image.shape[:2]
    layer = Image.new("L", (2 * width, 2 * height))
    pen = ImageDraw.Draw(layer)
    pitch = width / rng.uniform(14, 26)
    top = rng.random() < 0.5
    for i in range(int(width / pitch)):
        x = 2 * (i + 0.5) * pitch
        length = 2 * height * (0.07 if i % 5 == 0 else 0.04)
        ends = (0.0, length) if top else (2.0 * height - length, 2.0 * height)
        pen.line([(x, ends[0]), (x, ends[1])], fill=255, width=max(2, width // 120))
    return _overlay(image, layer, color=np.array([40, 38, 40], np.float32), opacity=0.85)


def _vignette(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the light of the round field of the dermatoscope: black corners behind a soft edge."""
    height, width = rows.shape
    radius = np.hypot(width, height) / 2 * rng.uniform(0.86, 1.0)
    distance = np.hypot(rows - height / 2, columns - width / 2)
    edge: np.ndarray = 0.03 + 0.97 / (1 + np.exp((distance - radius) / (0.012 * radius)))
    return edge
