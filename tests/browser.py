"""A page in a real browser: headless Chromium, driven through a pipe by its DevTools protocol. Nothing else is needed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: the page is not looked at in a browser")
_PATIENCE = 60  # seconds for one answer, on a machine with other work


class Browser:
    """One page. ``complaints`` are the errors of its console, ``requests`` the addresses it asked for."""

    def __init__(self, width: int = 1200, height: int = 900) -> None:
        self.size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._number, self._buffer, self._answers = 0, b"", dict[int, Any]()
        self._loaded = False

    def __enter__(self) -> Self:
        assert CHROMIUM is not None
        self._profile = tempfile.mkdtemp()
        (theirs_in, self._to), (self._from, theirs_out) = os.pipe(), os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        switches = "headless hide-scrollbars no-sandbox disable-gpu remote-debugging-pipe"
        command = [CHROMIUM, *(f"--{x}" for x in switches.split()), f"--user-data-dir={self._profile}"]
        # by way of large numbers: what is moved to 3 and 4 must not be one of these itself
        moved = [(theirs_in, 33), (theirs_out, 34), (33, 3), (34, 4), (nothing, 1), (nothing, 2)]
        actions = [(os.POSIX_SPAWN_DUP2, x, y) for x, y in moved]
        self._process = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=actions, setpgroup=0)
        for x in (theirs_in, theirs_out, nothing):
            os.close(x)
        target = self._ask("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True}, None)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")
        self.do("Emulation.setDeviceMetricsOverride", self.size)
        return self

    def __exit__(self, *error: object) -> None:
        os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, address: str) -> None:
        """Go there, and wait until the page is loaded."""
        self._loaded = False
        self.do("Page.navigate", {"url": "about:blank"})  # another hash alone would load nothing
        self._wait(lambda: self._loaded)
        self._loaded = False
        self.do("Page.navigate", {"url": address})
        self._wait(lambda: self._loaded)

    def run(self, script: str) -> Any:
        """The value of an expression in the page (JSON-ready; a promise is awaited)."""
        found = self.do("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40}
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            code = codes.get(key, ord(key[0].upper()))
            event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
            self.do("Input.dispatchKeyEvent", {"type": "keyDown", **event})
            self.do("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def resize(self, width: int) -> None:
        """Another width of the window."""
        self.do("Emulation.setDeviceMetricsOverride", {**self.size, "width": width})

    def dark(self) -> None:
        """Dark mode."""
        self.do("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})

    def picture(self, path: Path) -> None:
        """The whole page as a PNG file, to be looked at."""
        data = self.do("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
        path.write_bytes(base64.b64decode(data))

    def do(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """A command of the protocol, to the page."""
        return self._ask(method, parameters or {}, self._session)

    def _ask(self, method: str, parameters: Mapping[str, Any], session: str | None) -> Any:
        self._number += 1
        number, to = self._number, {} if session is None else {"sessionId": session}
        os.write(self._to, json.dumps({"id": number, "method": method, "params": parameters, **to}).encode() + b"\0")
        self._wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return answer["result"]

    def _wait(self, done: Any) -> None:
        end = time.monotonic() + _PATIENCE
        while not done():
            ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            self._buffer += os.read(self._from, 1 << 16)
            *messages, self._buffer = self._buffer.split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if "id" in message:
            self._answers[message["id"]] = message
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown" or (method == "Log.entryAdded" and told["entry"]["level"] == "error"):
            self.complaints.append(str(told))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(told["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
