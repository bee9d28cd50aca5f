"""A real browser, driven by Playwright, that opens pages from files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shapeinspect.ir import Model
from shapeinspect.page.document import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: No service of the browser's own asks for anything while it is watched.
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def _chromium() -> str:
    """Return the path of a Chromium: without one the tests fail in CI, and are skipped elsewhere."""
    paths = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    found = os.environ.get("SHAPEINSPECT_CHROMIUM") or next(filter(None, paths), None)
    if found is None:
        text = "no chromium is on PATH, and SHAPEINSPECT_CHROMIUM names none: the page cannot be looked at"
        (pytest.fail if "CI" in os.environ else pytest.skip)(text)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = _chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield started
        started.close()


class Opened:
    """A page that is open: the browser's page, what its console said, and what it asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self.file = page, file
        self.said: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def state(self) -> dict[str, object]:
        """Return what is drawn."""
        return self.page.evaluate("shapeinspect.state()")  # type: ignore[no-any-return]  # it is an object

    def names(self) -> list[str]:
        """Return the names of the boxes that are drawn, in their order."""
        return self.page.evaluate("shapeinspect.state().boxes.map((box) => box.title)")  # type: ignore[no-any-return]  # of texts

    def settled(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Write a model's page and open it; at the end nothing was said in the console, and nothing asked for."""
    pages: list[Opened] = []

    def show(
        model: Model | str, link: str = "", *, size: tuple[int, int] = (1280, 800), dark: bool = False
    ) -> Opened:
        file = tmp_path / f"page{len(pages)}.html"
        file.write_text(model if isinstance(model, str) else page(model), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
        )
        one = Opened(context.new_page(), file)
        pages.append(one)
        one.page.goto(file.as_uri() + link)
        one.page.wait_for_selector("html[data-ready=yes]")
        one.settled()
        return one

    yield show
    for one in pages:
        assert not one.said
        assert {url.partition("#")[0] for url in one.requests} == {one.file.as_uri()}
        one.page.context.close()
