"""One image of any format as an array of bytes, by Pillow."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoloss.data.messages import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

Cell = Path | bytes | NDArray[Any]
"""An image in the form of its source: a file, encoded bytes, or an array."""
ENDINGS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".pbm",
)
MOST_PIXELS = 100_000_000
"""The most pixels of an image; larger images are refused before they are decoded."""
_PLAIN = ("L", "RGB")
# One frame of these modes has numbers of its own range.
_WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class PictureError(Exception):
    """An image that cannot be read, with the reason as a clause."""


class LargePicture(Exception):
    """An image to decode alone, because several at once would not fit into memory."""


@dataclass(frozen=True)
class PictureShape:
    """The size and the colours at which all images of a study are read.

    Args:
        height: Rows of pixels.
        width: Columns of pixels.
        channels: 1 for grey, 3 for red, green and blue.
    """

    height: int
    width: int
    channels: int

    @property
    def text(self) -> str:
        """Return it in words."""
        return f"{self.height} x {self.width}, {'grey' if self.channels == 1 else 'colour'}"


def open_picture(
    cell: Cell, at_least: tuple[int, int] | None = None, *, most: int = MOST_PIXELS
) -> Image:
    """Return an image in grey or in red, green and blue, upright.

    Transparent pixels become white. Numbers of 16 bits are divided by 257; others beyond 8 bits
    are scaled by the range of the image.

    Args:
        cell: The image.
        at_least: Width and height that are needed: a JPEG is decoded no larger than necessary.
        most: The most pixels of an image that is decoded now.

    Raises:
        LargePicture: It has more than `most` pixels, but not too many.
        PictureError: It is missing, broken, or too large.
    """
    from PIL import Image, ImageOps

    if isinstance(cell, np.ndarray):
        return _plain(Image.fromarray(_bytes_of(cell)))
    try:
        with warnings.catch_warnings():
            # Broken metadata and palettes are warnings of Pillow: the pixels count.
            warnings.simplefilter("ignore")
            with Image.open(cell if isinstance(cell, Path) else io.BytesIO(cell)) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise PictureError(
                        f"it has {opened.width:,} x {opened.height:,} pixels, more than"
                        f" {MOST_PIXELS:,}"
                    )
                if opened.width * opened.height > most:
                    raise LargePicture
                if at_least is not None:
                    opened.draft("RGB" if opened.mode != "L" else "L", at_least)
                opened.load()
                ImageOps.exif_transpose(opened, in_place=True)
                return _plain(opened)
    except (PictureError, LargePicture):
        raise
    except FileNotFoundError:
        raise PictureError("there is no such file") from None
    except Image.DecompressionBombError:
        raise PictureError(f"it has far more than {MOST_PIXELS:,} pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(_reason(cell, error)) from None
    except Exception as error:
        # Broken files make some of Pillow's plug-ins fail in unusual ways.
        raise PictureError(f"it is broken ({type(error).__name__})") from None


def decoded(cell: Cell, shape: PictureShape, *, most: int = MOST_PIXELS) -> NDArray[np.uint8]:
    """Return an image at a size, (H, W, C); its sides are scaled apart if need be.

    Raises:
        LargePicture: As in `open_picture`.
        PictureError: As in `open_picture`.
    """
    from PIL import Image

    whole = (shape.height, shape.width, shape.channels)
    if isinstance(cell, np.ndarray) and cell.dtype == np.uint8:
        flat = whole[:2] if shape.channels == 1 else whole
        if cell.shape in (flat, whole):
            return cell.reshape(whole)
    size = (shape.width, shape.height)
    image = open_picture(cell, (2 * shape.width, 2 * shape.height), most=most)
    mode = "L" if shape.channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    found = np.asarray(image, dtype=np.uint8)
    return found.reshape(shape.height, shape.width, shape.channels)


def is_colour(image: Image) -> bool:
    """Return whether an image has a pixel that is not grey."""
    if image.mode != "RGB":
        return False
    # A small copy shows it, except for single pixels.
    small = np.asarray(image.resize((64, 64)) if max(image.size) > 64 else image).astype(np.int16)
    spread = small.max(-1) - small.min(-1)
    # JPEG turns grey into nearly grey.
    return bool((spread > 16).mean() > 0.001)


def _plain(image: Image) -> Image:
    """Return an image of any mode in grey or in red, green and blue."""
    from PIL import Image

    if image.mode in _WIDE:
        return Image.fromarray(_bytes_of(np.asarray(image)))
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    if has_alpha or "transparency" in image.info:
        seen = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGBA", seen.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, seen).convert("RGB")
    if image.mode in _PLAIN:
        return image.copy()
    return image.convert("L" if image.mode == "1" else "RGB")


def _bytes_of(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels of any numbers as bytes, (H, W) or (H, W, 3)."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16:
        return (values // 257).astype(np.uint8)
    numbers = np.nan_to_num(values.astype(np.float64))
    low, high = float(numbers.min(initial=0.0)), float(numbers.max(initial=0.0))
    if values.dtype.kind in "iu" and low >= 0 and high <= 255:
        return numbers.astype(np.uint8)
    if values.dtype.kind in "iu" and low >= 0 and high <= 65_535:
        return (numbers // 257).astype(np.uint8)
    scale = 255.0 / (high - low) if high > low else 0.0
    return ((numbers - low) * scale).round().astype(np.uint8)


def _reason(cell: Cell, error: BaseException) -> str:
    """Return the reason why an image cannot be read."""
    if isinstance(cell, Path):
        if cell.is_dir():
            return "it is a folder"
        if cell.stat().st_size == 0:
            return "the file is empty"
    elif isinstance(cell, bytes) and not cell:
        return "it is empty"
    text = one_line(str(error))
    if "cannot identify" in text:
        return "Pillow does not recognise it as an image"
    return text[:80] or type(error).__name__
