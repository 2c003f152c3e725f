"""The excerpt of a row in a report: the first words of a text, or a small copy of an image."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 120
"""Characters of a text."""
SIDE = 64
"""Pixels of the longer side of an image."""
_SHARP = 32


@dataclass(frozen=True)
class Glimpse:
    """A part of a row, for a report.

    Args:
        words: The first words of its text; empty for none.
        picture: A small copy of its image as a data URL; empty for none.
    """

    words: str = ""
    picture: str = ""

    @classmethod
    def of_text(cls, text: str) -> Glimpse:
        """Return the first words of a text.

        Examples:
            >>> Glimpse.of_text(" Call  now ").words
            'Call now'
        """
        words = " ".join(text[: 4 * LONGEST].split())
        if len(words) > LONGEST:
            words = (words[:LONGEST].rpartition(" ")[0] or words[:LONGEST]) + " …"
        return cls(words or "(empty)")

    @classmethod
    def of_picture(cls, image: Image) -> Glimpse:
        """Return a small copy of a Pillow image in grey or colour."""
        from PIL import Image

        if max(image.size) > SIDE:
            image = image.copy()
            image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
        stream = io.BytesIO()
        # JPEG blurs the few pixels of a small image.
        form = "PNG" if max(image.size) <= _SHARP else "JPEG"
        image.save(stream, form, **({} if form == "PNG" else {"quality": 80}))
        code = base64.b64encode(stream.getvalue()).decode()
        return cls(picture=f"data:image/{form.lower()};base64,{code}")

    @classmethod
    def of_pixels(cls, pixels: NDArray[np.uint8]) -> Glimpse:
        """Return a small copy of an image (H, W, C), C of 1 or 3."""
        from PIL import Image

        flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        return cls.of_picture(Image.fromarray(np.ascontiguousarray(flat)))
