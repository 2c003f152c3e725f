"""One fixed colour a family of losses, readable with every kind of colour vision."""

from __future__ import annotations

import zlib

# Okabe and Ito 2008, then Paul Tol's "muted". Black and yellow are left out: they vanish on a dark
# and on a light page.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#332288",
    "#882255",
    "#999933",
    "#44AA99",
    "#AA4499",
    "#117733",
)

# Families that stand side by side in most studies never share a colour; others go by their name.
_FIRST = (
    "cross_entropy",
    "focal",
    "brier",
    "generalized_cross_entropy",
    "poly1",
    "power",
    "sm_softmax",
    "weston_watkins",
    "crammer_singer",
    "bi_tempered",
)


def family_colour(family: str) -> str:
    """Return the colour of a family as ``#RRGGBB``; the same one in every study.

    Examples:
        >>> family_colour("cross_entropy")
        '#0072B2'
    """
    place = _FIRST.index(family) if family in _FIRST else zlib.crc32(family.encode())
    return PALETTE[place % len(PALETTE)]
