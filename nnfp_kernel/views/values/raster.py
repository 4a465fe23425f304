"""An array as a small PNG: a hundred numbers a line, and no library needed to see it.

A palette does the colours, so one byte is one number: of `signs` the strength is opacity,
and zero is the paper; `magnitudes` are cividis; `ink` is opacity of ink.
"""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache

import numpy

from ...language.palette import BLUE, INK, VERMILLION

LARGEST = 256  # pixels of a side; larger arrays are averaged

# Every sixteenth colour of cividis (Nuñez, Anderton, Renslow 2018).
_CIVIDIS = (
    "00224e002e6a1a386f32436d434e6c535a6d61656f6f70737d7c78"
    "8c88789b9476aba072bcae6ccdbb63dec958f0d846fee838"
)


def signs(matrix: numpy.ndarray, scale: float) -> str:
    """Blue where negative, vermillion where positive: a data URI."""
    part = numpy.nan_to_num(matrix / (scale or 1.0))
    return _indexed(numpy.round(127 * part.clip(-1, 1)) + 127, _sign_palette())


def magnitudes(matrix: numpy.ndarray, low: float, high: float) -> str:
    part = numpy.nan_to_num((matrix - low) / ((high - low) or 1.0))
    return _indexed(numpy.round(255 * part.clip(0, 1)), _cividis())


def ink(matrix: numpy.ndarray) -> str:
    """From paper at 0 to ink at 1."""
    return _indexed(numpy.round(255 * numpy.nan_to_num(matrix).clip(0, 1)), _ink_palette())


def colours(picture: numpy.ndarray) -> str:
    """Red, green and blue between 0 and 1 along the last axis."""
    pixels = numpy.round(255 * numpy.nan_to_num(picture).clip(0, 1)).astype(numpy.uint8)
    return _uri(_png(pixels.reshape(len(pixels), -1), pixels.shape[1], 2))


def reduced(matrix: numpy.ndarray) -> numpy.ndarray:
    """Means over blocks, so that neither side is too long."""
    for axis in (0, 1):
        size = matrix.shape[axis]
        step = -(-size // LARGEST)
        if step > 1:
            places = numpy.arange(0, size, step)
            counts = numpy.diff(numpy.append(places, size))
            shape = [-1 if k == axis else 1 for k in range(matrix.ndim)]
            matrix = numpy.add.reduceat(matrix, places, axis) / counts.reshape(shape)
    return matrix


# --- palettes: 256 of red, green, blue and opacity ------------------------------------------


def _rgb(colour: str) -> tuple[int, int, int]:
    digits = colour.lstrip("#")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


@cache
def _sign_palette() -> numpy.ndarray:
    palette = numpy.zeros((256, 4), numpy.uint8)
    palette[:127, :3], palette[127:, :3] = _rgb(BLUE), _rgb(VERMILLION)
    palette[:255, 3] = numpy.round(0.85 * 255 * numpy.abs(numpy.arange(255) - 127) / 127)
    return palette


@cache
def _cividis() -> numpy.ndarray:
    known = numpy.array([_rgb(_CIVIDIS[k : k + 6]) for k in range(0, len(_CIVIDIS), 6)], float)
    at = numpy.linspace(0, len(known) - 1, 256)
    between = [numpy.interp(at, range(len(known)), known[:, k]) for k in range(3)]
    return numpy.stack([*between, numpy.full(256, 255.0)], axis=1).round().astype(numpy.uint8)


@cache
def _ink_palette() -> numpy.ndarray:
    palette = numpy.zeros((256, 4), numpy.uint8)
    palette[:, :3], palette[:, 3] = _rgb(INK), numpy.arange(256)
    return palette


# --- the file -------------------------------------------------------------------------------


def _indexed(numbers: numpy.ndarray, palette: numpy.ndarray) -> str:
    pixels = numbers.astype(numpy.uint8)
    extra = _chunk(b"PLTE", palette[:, :3].tobytes())
    if (palette[:, 3] < 255).any():
        extra += _chunk(b"tRNS", palette[:, 3].tobytes())
    return _uri(_png(pixels, pixels.shape[1], 3, extra))


def _png(rows: numpy.ndarray, width: int, colour_type: int, extra: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, len(rows), 8, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + extra
        + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    )  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
