"""The page of ``shapeinspect view`` against Netron's page of the same file, both in one Chromium.

Netron is no dependency of the tests: it is installed by hand, or the comparison is left out.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shapeinspect

pytestmark = pytest.mark.bench

#: On F9: frames a second in a second and a half of panning by the wheel, and the time of nine in ten of them.
_PAN = """addEventListener("keydown", (event) => {
  if (event.key !== "F9") return;
  const place = document.querySelector("#stage, #target"), begun = performance.now(), gaps = [];
  let last = begun;
  const tick = () => {
    const now = performance.now();
    gaps.push(now - last); last = now;
    const turn = {deltaX: 2, deltaY: 15, bubbles: true, cancelable: true};
    place.dispatchEvent(new WheelEvent("wheel", turn));
    if (now - begun < 1500) { requestAnimationFrame(tick); return; }
    gaps.sort((a, b) => a - b);
    const frames = gaps.length / (now - begun) * 1000;
    const most = gaps[Math.floor(gaps.length * 0.9)];
    document.documentElement.setAttribute("data-pan", `${frames} ${most}`);
  };
  requestAnimationFrame(tick);
}, true);"""
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
]  # fmt: skip


@pytest.fixture(scope="module")
def tab() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("SHAPEINSPECT_CHROMIUM") or shutil.which("chromium")
    with sync.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_init_script(_PAN)
        # Netron asks for consent first, unless it was given lately.
        given = str(int(time.time() * 1000))
        context.add_cookies([{"name": "consent", "value": given, "url": "http://localhost"}])
        yield context.new_page()
        browser.close()


def _timed(tab: Any, address: str, drawn: str) -> float:
    begun = time.perf_counter()
    tab.goto(address)
    tab.wait_for_selector(drawn, timeout=60_000, state="attached")
    return time.perf_counter() - begun


def _panned(tab: Any) -> tuple[float, float]:
    tab.keyboard.press("F9")
    tab.wait_for_selector("html[data-pan]", state="attached")
    frames, gap = tab.locator("html").get_attribute("data-pan").split()
    return float(frames), float(gap)


def test_resnet50_is_drawn_sooner_than_by_netron_and_pans_as_smoothly(
    tab: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    netron = pytest.importorskip("netron")
    import onnx

    model = str(Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx")
    file = tmp_path / "page.html"
    file.write_text(shapeinspect.inspect(model).to_html(), encoding="utf-8")
    ours = min(_timed(tab, file.as_uri(), "html[data-ready=yes]") for _ in range(3))
    frames, gap = _panned(tab)
    host, port = netron.start(model, browse=False)
    try:
        address = f"http://{host}:{port}"
        theirs = min(_timed(tab, address, "g.node") for _ in range(3))
        peer_frames, peer_gap = _panned(tab)
    finally:
        netron.stop((host, port))
    with capsys.disabled():
        print(f"\nfirst picture: {ours * 1000:.0f} ms, Netron {theirs * 1000:.0f} ms")
        print(f"panning: {frames:.0f} frames a second, nine of ten within {gap:.0f} ms")
        print(f"Netron:  {peer_frames:.0f} frames a second, nine of ten within {peer_gap:.0f} ms")
        print(f"size: {len(file.read_bytes()) / 1000:.0f} kB")
    assert theirs / ours >= 1.5
    assert frames >= 0.8 * peer_frames
    assert len(file.read_bytes()) < 400_000
