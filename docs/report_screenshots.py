"""Screenshots of the report for the documentation, drawn by `docs.screenshots`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from docs.browser import Browser

WIDTH, PHONE = 1200, 360
_READY = "document.documentElement && document.documentElement.dataset.ready"
# Part of the page, height of the screenshot and whether it is drawn in dark colours.
_PARTS = {
    "verdict": ("verdict", 1000, False),
    "tradeoff": ("tradeoff", 1150, False),
    "reliability": ("reliability", 1080, False),
    "decisions": ("decisions", 1000, True),
    "signals": ("signals", 900, True),
}
_ON_A_PHONE = ("verdict", "tradeoff", "signals", "take")


def draw_report(folder: Path, images: Path, shrink: Callable[[Path], Path]) -> list[Path]:
    """Draw the report of a study at two widths, light and dark, and return the screenshots.

    Args:
        folder: The study's folder.
        images: Folder of the screenshots.
        shrink: Reduces the file of a screenshot and returns it.
    """
    page = (folder / "report.html").resolve().as_uri()
    files = []
    for dark in (False, True):
        with Browser(width=WIDTH, dark=dark) as browser:
            browser.open(page)
            browser.wait(_READY)
            for name, (part, height, is_dark) in _PARTS.items():
                if is_dark == dark and _show(browser, part, WIDTH, height):
                    file = images / f"report-{name}.png"
                    browser.draw(file)
                    files.append(shrink(file))
    with Browser(width=PHONE, dark=False) as browser:
        browser.open(page)
        browser.wait(_READY)
        files.append(shrink(_phones(browser, images / "report-phone.png")))
    return files


def _phones(browser: Browser, file: Path) -> Path:
    """Draw parts of the page at the width of a phone, side by side."""
    found = []
    for part in _ON_A_PHONE:
        if _show(browser, part, PHONE, 780):
            browser.draw(file)
            with Image.open(file) as image:
                found.append(image.convert("RGB"))
    gap = 24
    wide = Image.new("RGB", (len(found) * (PHONE + gap) - gap, 780), "#c9ced6")
    for place, image in enumerate(found):
        wide.paste(image, (place * (PHONE + gap), 0))
    wide.save(file)
    return file


def _show(browser: Browser, part: str, width: int, height: int) -> bool:
    """Bring a section to the top of the window; return whether the page has it."""
    browser.resize(width, height)
    if not browser.run(f"Boolean(document.getElementById({part!r}))"):
        return False
    top = f"document.getElementById({part!r}).getBoundingClientRect().top + scrollY"
    # A section scrolls to the top of the window; the verdict is already there.
    browser.run(f"scrollTo({{top: {part!r} === 'verdict' ? 0 : {top}, behavior: 'instant'}})")
    browser.rest(seconds=0.5)
    return True
