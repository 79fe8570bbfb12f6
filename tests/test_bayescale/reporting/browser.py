"""A real browser without a network: Chromium, spoken to through a pipe in its own protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
PATIENCE = 120.0
"""Seconds after which a silent browser is taken for dead."""


def chromium() -> str:
    """Where a Chromium is; a test that needs one is skipped where there is none."""
    for name in NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    pytest.skip(f"no browser is here: none of {', '.join(NAMES)} is on the path")


class Browser:
    """One page of a browser: what it shows, what it logged, and what it asked the network for."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = os.fdopen(read, "rb"), os.fdopen(write, "wb")
        self._number, self._rest = 0, b""
        self.logged: list[str] = []
        self.asked: list[str] = []
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        made = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": made["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._read.close()
        self._write.close()

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters, **self._session}
        self._write.write(json.dumps(order).encode() + b"\0")
        self._write.flush()
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)
        raise TimeoutError(method)

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._read.fileno(), 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        first, _, self._rest = self._rest.partition(b"\0")
        return json.loads(first)

    def _note(self, message: Any) -> None:
        about = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled" | "Log.entryAdded" | "Runtime.exceptionThrown":
                self.logged.append(json.dumps(about))
            case "Page.javascriptDialogOpening":
                self.logged.append(f"a dialog: {about['message']}")
            case "Network.requestWillBeSent":
                self.asked.append(about["request"]["url"])

    def open(self, path: Path, state: str = "") -> None:
        """Load a page, from about:blank so that another state loads it anew."""
        for address in ("about:blank", path.as_uri() + state):
            self.call("Page.navigate", url=address)
            while self.value("document.readyState") != "complete":
                time.sleep(0.02)

    def value(self, expression: str) -> Any:
        """Value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def awaited(self, expression: str) -> Any:
        """Value of a promise in the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self, name: str) -> str:
        """Text of the element of that id."""
        return self.value(f"document.getElementById({json.dumps(name)}).textContent")

    def move(self, name: str, step: int) -> None:
        """Move a slider as a hand does."""
        self.value(
            f"(() => {{ const one = document.getElementById({json.dumps(name)}); one.value = "
            f"{step}; one.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        )

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Make the window as wide as a telephone or a desk, by day or by night."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write what the window shows, for looking at."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile in a folder; it ends with the context."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = 'exec "$0" "$@" 3<&"$IN" 4>&"$OUT"'
    process = subprocess.Popen(
        ["bash", "-c", command, chromium(), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        env={**os.environ, "IN": str(theirs_in), "OUT": str(theirs_out)},
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    found = Browser(ours_in, ours_out)
    try:
        yield found
    finally:
        found.close()
        process.terminate()
        process.wait(30)
