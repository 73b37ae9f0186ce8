"""A real service with the shipped models, a real film, and a real browser before its page.

The browser is Chromium as the system has it, driven by Playwright; without either these tests are skipped.
The people are those of the demo: photographs in the public domain that come with the package.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import httpx
import numpy as np
import pytest

from pipeline.api import Recog
from pipeline.outputs.demo_film import film as demo_frames
from pipeline.outputs.demo_film import other_view, photographs
from pipeline.outputs.video import VideoSink

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SIZE, RATE = (640, 360), 10  # of the film: small and slow, for machines with other work to do
PATIENCE = 60_000  # milliseconds for what the models have to do first
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
GRACE = "Grace Hopper"


class Serves(Protocol):
    """A service that a page is opened of: `Served`, or `Running` of the tests without a browser."""

    url: str
    tokens: Mapping[Any, str]  # by role


class Served:
    """A service in a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """
        Args:
            folder: for its gallery, and as the home of its user.
        """
        self.gallery = folder / "people.db"
        command = [
            sys.executable, "-c", "from pipeline.cli import main; main()", "serve",
            "--port", "0", "--gallery", str(self.gallery), *arguments,
        ]  # fmt: skip
        environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        try:
            self._enter()
        except BaseException:
            self._process.kill()
            raise

    def _enter(self) -> None:
        """Read where it serves, and log in with the key that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"(http://127\.0\.0\.1:\d+/)(\?key=\S+)?", line)
        assert found, f"the service said {line!r}, {self._said}"
        self.url = found[1]
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as client:
            assert client.get(found[0]).is_redirect  # with the cookie that the rest is done with
            self.tokens: Mapping[Any, str] = {role: self._token(client, role) for role in ("admin", "viewer")}
        self.api = httpx.Client(
            base_url=f"{self.url}api/v1",
            headers={"authorization": f"Bearer {self.tokens['admin']}"},
            trust_env=False,
            timeout=60,
        )

    def _token(self, client: httpx.Client, role: str) -> str:
        wanted = {"name": f"the {role}", "role": role}
        made = client.post("/api/v1/tokens", json=wanted, headers={"origin": self.url.rstrip("/")})
        return str(made.raise_for_status().json()["token"])

    def close(self) -> None:
        """End it, as a user would, and see that it said nothing of errors."""
        self.api.close()
        self._process.terminate()
        self._process.wait(30)
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert "Traceback" not in "".join(self._said), "".join(self._said)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            self._said.extend(lines)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's film, smaller and slower: Grace Hopper, strangers, Grace Hopper again, a passer-by.

    The service plays it as fast as a camera would have filmed it: 15 seconds.
    """
    path = tmp_path_factory.mktemp("film") / "door.mp4"
    with VideoSink(path, RATE) as sink:
        for frame in demo_frames(photographs(), times=2):
            small = cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA)
            sink.write(np.asarray(small, np.uint8))
    return path


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of Grace Hopper, another than those of the film."""
    path = tmp_path_factory.mktemp("photo") / "hopper.jpg"
    cv2.imwrite(str(path), other_view(photographs().known))
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: uv sync --group dev")
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """Chromium. Of a module, because Playwright's loop is in the way of other tests that need one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium,
            args=["--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def served(
    chromium: str, film: Path, photo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A service that knows Grace Hopper and watches the film, for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("served")
    with Recog.open(folder / "people.db") as recog:
        assert recog.enroll(GRACE, [photo]).usable
    started = Served(folder, "--source", str(film))
    yield started
    started.close()


class Tab:
    """A page in a browser window of its own, that notes what must never happen."""

    def __init__(self, context: Any, url: str) -> None:
        self.context, self.url = context, url
        self.wrong: list[str] = []
        context.set_default_timeout(PATIENCE)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        # The browser notes each answer that is no success; whether those were due is for the tests to say.
        noted = "Failed to load resource" in message.text or "WebSocket connection to" in message.text
        if message.type in ("error", "warning") and not noted:
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.url, f"blob:{self.url}", self.url.replace("http", "ws", 1))):
            self.wrong.append(f"asked of somebody else: {request.url}")

    def go(self, where: str = "") -> Any:
        """Go to a view, as by its link; returns the page."""
        self.page.goto(self.url + where)
        self.page.locator("h1").first.wait_for()
        return self.page


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Opens a page of a service; logged in as `role`. Nothing may go wrong on it."""
    opened: list[Tab] = []

    def open_(
        served: Serves, role: str | None = "admin", viewport: dict[str, int] = DESKTOP, **more: Any
    ) -> Tab:
        context = browser.new_context(viewport=viewport, locale="en-GB", **more)
        if role is not None:
            context.request.post(
                f"{served.url}api/v1/login",
                data={"token": served.tokens[role]},
                headers={"origin": served.url.rstrip("/")},
            )
        opened.append(Tab(context, served.url))
        return opened[-1]

    yield open_
    for each in opened:
        each.context.close()
    assert not [wrong for each in opened for wrong in each.wrong]


def wait_for_count(locator: Any, count: int) -> None:
    """Wait until so many elements match.

    Not ``wait_for_function``: it evaluates its words again in the page, whose content security policy
    forbids that, so that it works only where they hold at once.
    """
    from playwright.sync_api import expect

    expect(locator).to_have_count(count, timeout=PATIENCE)


def drop(page: Any, selector: str, *files: Path) -> None:
    """Drop files on an element, as if they had been dragged there from a folder."""
    transfer = _transfer(page, *files)
    for kind in ("dragenter", "dragover", "drop"):
        page.locator(selector).first.dispatch_event(kind, {"dataTransfer": transfer})


def paste(page: Any, *files: Path) -> None:
    """Paste files, as if they had been copied elsewhere."""
    page.evaluate(
        """(clipboardData) => document.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true }))""",
        _transfer(page, *files),
    )


def _transfer(page: Any, *files: Path) -> Any:
    given = [[each.name, base64.b64encode(each.read_bytes()).decode()] for each in files]
    return page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
            }
            return transfer;
        }""",
        given,
    )


def picture(page: Any, name: str) -> None:
    """Leave a picture of the page where RECOG_SCREENSHOTS says, for people to look at."""
    if folder := os.environ.get("RECOG_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
