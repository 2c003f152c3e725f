"""The report of a search over a hostile table runs nothing, even without its content policy."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import autoloss
from docs.browser import Browser
from tests.spaces import SMALL

pytestmark = pytest.mark.browser
RUN = "document.documentElement.dataset.ran=1"
TEXTS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f'"><svg onload={RUN}>',
    f"' onmouseover='{RUN}' autofocus onfocus='{RUN}",
    f"javascript:{RUN}//",
    f'<a href="javascript:{RUN}">open</a>',
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    "</style><style>body{display:none}</style>",
    "<style>@import url(http://127.0.0.1:9/x.css)</style>",
    f"<!--{RUN}",
    f"]]><script>{RUN}</script>",
    f"{{{{ {RUN} }}}} ${{{RUN}}}",
    f"\u2028{RUN}\u2029",
    f"[x](javascript:{RUN}) ![x](http://127.0.0.1:9/x.png)",
)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
FOUND = """
(() => {
  const every = [...document.querySelectorAll("*")];
  const links = every
    .flatMap((one) => [one.href, one.src, one.action]).filter(Boolean).map(String);
  return {
    ran: document.documentElement.dataset.ran || "",
    shown: document.body.innerText.includes("onerror"),
    height: document.body.offsetHeight,
    links: links.filter((one) => /^(javascript|http:..127)/.test(one)),
    handlers: every
      .filter((one) => [...one.attributes].some((own) => own.name.startsWith("on"))).length,
    frames: document.querySelectorAll("iframe, img[src=x], object, embed").length,
    loaded: performance.getEntriesByType("resource").map((one) => one.name)
      .filter((one) => !one.startsWith("data:") && !one.startsWith("blob:")),
  };
})()
"""
HOVER = """
document.querySelectorAll("*").forEach((one) => one.dispatchEvent(new Event("mouseover")))
"""
READY = "document.documentElement && document.documentElement.dataset.ready"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The page of such a search, and the same page without its policy."""
    out = tmp_path_factory.mktemp("hostile")
    (out / "small.toml").write_text(SMALL, encoding="utf-8")
    rows = 15 * len(TEXTS)
    labels = [TEXTS[0], TEXTS[1], TEXTS[2]]
    frame = pd.DataFrame(
        {
            TEXTS[3]: [(i * 37 % 101) / 7 for i in range(rows)],
            TEXTS[8]: [TEXTS[i % len(TEXTS)] for i in range(rows)],
            **{f"{text} {i}": [i * j % 7 for j in range(rows)] for i, text in enumerate(TEXTS)},
            TEXTS[6]: [labels[i * i % 3] for i in range(rows)],
        }
    )
    result = autoloss.search(
        frame, TEXTS[6], space=out / "small.toml", trials=4, out=out, name="hostile", track="off"
    )
    assert result.summary.data.target == TEXTS[6]
    page = out / "hostile" / "report.html"
    bare = page.with_name("bare.html")
    text, removed = POLICY.subn("", page.read_text(encoding="utf-8"))
    assert removed == 1
    bare.write_text(text, encoding="utf-8")
    return [page, bare]


@pytest.mark.parametrize("place", [0, 1], ids=["with its policy", "without a policy"])
def test_names_and_cells_of_a_hostile_table_run_nothing(pages: list[Path], place: int) -> None:
    with Browser() as browser:
        browser.open(pages[place].as_uri())
        browser.wait(READY)
        browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        browser.run(HOVER)
        found = browser.run(FOUND)
    assert found["ran"] == ""
    assert found["shown"]
    assert found["height"] > 1_000
    assert found["links"] == []
    assert found["handlers"] == 0
    assert found["frames"] == 0
    assert found["loaded"] == []
