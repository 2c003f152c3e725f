"""A headless Chromium, controlled through its debugging pipe; it opens, reads and draws pages."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE = 60.0
# Chromium reads commands from descriptor 3 and answers on descriptor 4. A shell can move only
# descriptors of one digit there.
_ON_THREE_AND_FOUR = """
import os, sys
ends = [os.dup(os.dup(int(number))) for number in sys.argv[1:3]]
for place, end in enumerate(ends, start=3):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome; None without one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """A page of a headless Chromium.

    Args:
        width: Width of the page, in pixels.
        height: Height of the page, in pixels.
        dark: Whether pages should use their dark colours.
    """

    def __init__(self, *, width: int = 1600, height: int = 1000, dark: bool = False) -> None:
        chromium = find_chromium()
        if chromium is None:
            raise FileNotFoundError("Chromium must be installed (Debian: apt install chromium).")
        self._profile = tempfile.mkdtemp(prefix="autoloss-browser-")
        to_child, self._to = os.pipe()
        self._from, from_child = os.pipe()
        words = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--remote-debugging-pipe",
            # A pointer that can hover: without one, charts show their buttons all the time.
            "--blink-settings=primaryHoverType=2,availableHoverTypes=2,"
            "primaryPointerType=4,availablePointerTypes=4",
            f"--user-data-dir={self._profile}", f"--window-size={width},{height}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_THREE_AND_FOUR, str(to_child), str(from_child), *words],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._number, self._buffer, self.console = 0, b"", []
        pages = self._call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in pages if one["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._on_page("Page.enable")
        self._on_page("Runtime.enable")
        self.resize(width, height)
        if dark:
            features = [{"name": "prefers-color-scheme", "value": "dark"}]
            self._on_page("Emulation.setEmulatedMedia", features=features)

    console: list[str]

    def resize(self, width: int, height: int) -> None:
        """Change the size of the page, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._on_page("Emulation.setDeviceMetricsOverride", **size)

    def show_as(self, media: str) -> None:
        """Show the page as ``"print"`` or ``"screen"``."""
        self._on_page("Emulation.setEmulatedMedia", media=media)

    def open(self, url: str) -> None:
        """Open a page; `wait` waits for its content."""
        self._on_page("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        answer = self._on_page(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script!r}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self) -> str:
        """Return the text of the page."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def wait(self, script: str, *, seconds: float = _PATIENCE) -> None:
        """Wait until an expression is true.

        Raises:
            TimeoutError: If it stays false.
        """
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{script}\n{self.text()[:2000]}\n{self.console[-10:]}")
            time.sleep(0.2)

    def wait_for_text(self, text: str, *, seconds: float = _PATIENCE) -> None:
        """Wait until the page contains a text."""
        self.wait(f"document.body && document.body.innerText.includes({json.dumps(text)})")

    def rest(self, *, seconds: float = 2.0) -> None:
        """Wait until the text has not changed for a while; charts follow their titles."""
        before, since, end = "", time.monotonic(), time.monotonic() + _PATIENCE
        while time.monotonic() - since < seconds and time.monotonic() < end:
            time.sleep(0.2)
            if (now := self.text()) != before:
                before, since = now, time.monotonic()

    def draw(self, file: Path) -> None:
        """Write a screenshot of the window."""
        data = self._on_page("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            self._call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _on_page(self, method: str, **params: Any) -> Any:
        return self._call(method, session=self._session, **params)

    def _call(self, method: str, *, session: str | None = None, **params: Any) -> Any:
        """Send a command and return its answer; keep messages that the page logs meanwhile."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _PATIENCE
        while True:
            while b"\0" not in self._buffer:
                ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
                if not ready:
                    raise TimeoutError(f"{method}: Chromium does not answer.")
                read = os.read(self._from, 1 << 20)
                if not read:
                    raise RuntimeError(f"{method}: Chromium has ended.")
                self._buffer += read
            raw, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(raw)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                self.console.append(json.dumps(answer["params"])[:500])
