"""One fixed, colour-blind-safe look for every family: a colour and a symbol.

The seven hues and the ink of cross-entropy keep a contrast of at least 3 to the page and stay
apart under simulated protan, deutan and tritan vision, in the light and in the dark page. Each
family also has a symbol, so that no figure depends on colour alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

# Ink first: it belongs to cross-entropy alone.
LIGHT = (
    "#1c1e21",
    "#0341c4",
    "#ad4b26",
    "#099f83",
    "#59195e",
    "#cb7719",
    "#2478b4",
    "#8b1609",
)
DARK = (
    "#eceff3",
    "#3381ee",
    "#e06c0b",
    "#01b798",
    "#9c4394",
    "#f4c51d",
    "#26cafc",
    "#c1273e",
)
# Dashes tell lines apart without colours; the most important line has the first.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
LIGHT_PAGE = "#ffffff"
DARK_PAGE = "#15181c"

# Paths in a box of 16 by 16, for legends drawn without plotly; keys are plotly's symbols.
SYMBOL_PATHS = {
    "circle": "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11z",
    "square": "M3 3h10v10H3z",
    "diamond": "M8 1.5L14.5 8L8 14.5L1.5 8z",
    "triangle-up": "M8 2L14.5 13.5H1.5z",
    "cross": "M6 2h4v4h4v4h-4v4H6v-4H2V6h4z",
    "triangle-down": "M8 14L1.5 2.5H14.5z",
}
_SYMBOLS = tuple(SYMBOL_PATHS)
# Plotly's symbols of one size have different areas; with these they look alike.
_SIZES = {"square": 0.95, "diamond": 1.15, "triangle-up": 1.3, "triangle-down": 1.3, "cross": 1.25}

# Families of the default space keep their place in every report; others get a free place.
_PLACES = (
    "brier",
    "focal",
    "generalized_cross_entropy",
    "power",
    "poly1",
    "sm_softmax",
    "weston_watkins",
    "crammer_singer",
    "bi_tempered",
)
# Seven hues and six symbols have no common factor: 42 places, no two alike.
_N_PLACES = (len(LIGHT) - 1) * len(_SYMBOLS)


@dataclass(frozen=True)
class Look:
    """How a family is drawn.

    Args:
        colour: Place in `LIGHT` and `DARK`.
        symbol: Plotly's name of the symbol.
    """

    colour: int
    symbol: str

    @property
    def css(self) -> str:
        """Return the colour as a CSS variable, which the page's theme fills in."""
        return f"var(--f{self.colour})"

    @property
    def size(self) -> float:
        """Return the factor for the size of the symbol."""
        return _SIZES.get(self.symbol, 1.0)

    @property
    def path(self) -> str:
        """Return the symbol as an SVG path in a box of 16 by 16."""
        return SYMBOL_PATHS[self.symbol]


def looks(families: Iterable[str]) -> dict[str, Look]:
    """Return the look of each family; a family keeps its look from study to study.

    Args:
        families: Names of the families, in any order.

    Returns:
        Look by family; all are different for up to 42 families besides cross-entropy.
    """
    # Read once: an iterator would be empty the second time.
    families = tuple(families)
    found = {"cross_entropy": Look(0, "circle")}
    places = {name: place for place, name in enumerate(_PLACES)}
    taken = set(places.values())
    for name in sorted(set(families) - {"cross_entropy"} - set(places)):
        start = zlib.crc32(name.encode("utf-8", "replace")) % _N_PLACES
        free = [(start + step) % _N_PLACES for step in range(_N_PLACES)]
        places[name] = next((place for place in free if place not in taken), start)
        taken.add(places[name])
    for name, place in places.items():
        found[name] = Look(1 + place % (len(LIGHT) - 1), _SYMBOLS[place % len(_SYMBOLS)])
    return {name: found[name] for name in families}
