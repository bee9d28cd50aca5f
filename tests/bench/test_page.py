"""The page of ``shapeinspect view`` against Netron's of the same file and torchvista's of the same model.

Neither is a dependency of the tests: each is installed by hand, or the comparison is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
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


#: So many layers of a Transformer are 10,000 nodes.
_LAYERS = 60
#: Frames of panning, and waiting for one that is drawn.
_FRAMES = """(count) => new Promise((done) => {
  const stage = document.getElementById("stage");
  let n = 0;
  const tick = () => {
    const deltaY = n < count / 2 ? 17 : -17;
    const turn = {deltaX: 2, deltaY, bubbles: true, cancelable: true};
    stage.dispatchEvent(new WheelEvent("wheel", turn));
    n += 1;
    if (n < count) requestAnimationFrame(tick); else requestAnimationFrame(() => done(n));
  };
  requestAnimationFrame(tick);
})"""
_TOGGLE = """() => {
  document.getElementById("stage").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def _blocks(blocks: int, each: int) -> str:
    """Return the page of a network of blocks that all differ, so that none is folded."""
    from shapeinspect.page.document import page
    from tests.page.networks import Network

    net = Network(("image", (1, 3, 12, 20)))
    value = "image"
    for block in range(blocks):
        first = value
        for index in range(each):
            older = (first,) if index % 9 == 8 else ()
            name = f"body.{block}.{'add' if block % 2 else 'mul'}{index}"
            value = net.same(name, "elementwise", value, *older)
    return page(net.model(value))


def test_frames_and_blocks_take_little_time_of_the_processor(
    tab: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The main thread's own time does not depend on what else the machine does; a frame has 16 ms."""
    used = _clock(tab)
    for blocks, each, most in ((10, 10, 300), (100, 100, 1_500)):
        file = tmp_path / f"{blocks * each}.html"
        file.write_text(_blocks(blocks, each), encoding="utf-8")
        before = used()
        tab.goto(file.as_uri())
        tab.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        first = used() - before
        frames, toggles = [], []
        for button in ("fit", "open", "fit"):
            tab.click(f"#{button}")
            frames.append(_cost(tab, used))
        for block in ("body", "body.0", f"body.{blocks - 1}"):
            tab.evaluate("(path) => { location.hash = `#layer=${path}`; }", block)
            tab.wait_for_function("(path) => shapeinspect.state().selected === path", arg=block)
            before = used()
            tab.evaluate(_TOGGLE)
            toggles.append(used() - before)
        with capsys.disabled():
            print(
                f"\n{blocks * each:,} layers: first picture {first:.0f} ms, a frame of panning at most "
                f"{max(frames):.1f} ms, a block opens within {max(toggles):.0f} ms of processor time"
            )
        assert first < most
        assert max(frames) < 8
        assert max(toggles) < 100


def _exported(file: Path, layers: int) -> int:
    """Export a Transformer, in which no two neighbors are equal so that none are folded; return its nodes."""
    import onnx
    import torch
    from torch import nn

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [24 + 12 * (index % 2) for index in range(layers)]
            one = (nn.TransformerEncoderLayer(12, 3, size, batch_first=True) for size in sizes)
            self.layers = nn.ModuleList(one)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    chain = Chain().train()  # in training mode no layer is one fused node
    options = {"dynamo": False, "do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    axes = {"x": {0: "batch", 1: "time"}}
    torch.onnx.export(chain, (torch.zeros(2, 7, 12),), file, input_names=["x"], dynamic_axes=axes, **options)
    return len(onnx.load(file).graph.node)


def test_an_exported_network_of_ten_thousand_nodes_pans_and_opens_at_once(
    tab: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Closed, opened in part, all open, and from afar: a frame has 16 ms, a block opens within 100 ms."""
    pytest.importorskip("torch")
    nodes = _exported(tmp_path / "net.onnx", _LAYERS)
    assert nodes >= 10_000
    file = tmp_path / "net.html"
    file.write_text(shapeinspect.inspect(tmp_path / "net.onnx").to_html(), encoding="utf-8")
    used = _clock(tab)
    tab.goto(file.as_uri())
    tab.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    frames, toggles = [_cost(tab, used)], []
    for block in ("/layers.0", "/layers.0/self_attn", "/layers.1"):
        tab.evaluate("(path) => { location.hash = `#layer=${path}`; }", block)
        tab.wait_for_function("(path) => shapeinspect.state().selected === path", arg=block)
        for _ in range(2):
            before = used()
            tab.evaluate(_TOGGLE)
            toggles.append(used() - before)
    for button in ("open", "fit"):
        before = used()
        tab.click(f"#{button}")
        tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        toggles.append(used() - before)
        frames.append(_cost(tab, used))
    boxes = len(tab.evaluate("shapeinspect.state().boxes"))
    with capsys.disabled():
        print(f"\n{nodes:,} nodes, {boxes:,} boxes open: a frame of panning at most {max(frames):.1f} ms")
        print(f"a block and all blocks open within {max(toggles):.0f} ms of processor time")
        print(f"size: {file.stat().st_size / 1e6:.2f} MB")
    assert boxes > 5_000
    assert max(frames) < 12
    assert max(toggles) < 100


def test_a_file_of_a_hundred_thousand_tensors_opens_folded(
    tab: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Experts of equal sizes in equal layers are one box each; the page stays small."""
    header: dict[str, object] = {}
    for layer in range(61):
        for expert in range(547):
            for name in ("gate_proj", "up_proj", "down_proj"):
                at = len(header)
                path = f"model.layers.{layer}.mlp.experts.{expert}.{name}.weight"
                header[path] = {"dtype": "I8", "shape": [1, 1], "data_offsets": [at, at + 1]}
    text = json.dumps(header).encode()
    (tmp_path / "many.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(len(header)))
    file = tmp_path / "many.html"
    file.write_text(shapeinspect.inspect(tmp_path / "many.safetensors").to_html(), encoding="utf-8")
    used = _clock(tab)
    before = used()
    tab.goto(file.as_uri())
    tab.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    first, boxes = used() - before, len(tab.evaluate("shapeinspect.state().boxes"))
    with capsys.disabled():
        size = file.stat().st_size / 1e6
        print(f"\n{len(header):,} tensors: {boxes} boxes, {first:.0f} ms of processor time, {size:.2f} MB")
    assert len(header) > 100_000
    assert boxes < 50
    assert first < 1_500
    assert file.stat().st_size < 1_500_000


def _clock(tab: Any) -> Callable[[], float]:
    """Return a function that tells how many milliseconds the main thread of a tab's page has worked."""
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used() -> float:
        told = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(one["value"] for one in told if one["name"] == "TaskDuration")

    return used


def test_resnet50_takes_less_time_and_room_than_torchvistas_export(
    tab: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both files hold everything that they need: neither asks for anything of a network."""
    torchvista = pytest.importorskip("torchvista")
    network = pytest.importorskip("torchvision").models.resnet50(weights=None).eval()
    import torch

    ours, theirs = tmp_path / "ours.html", tmp_path / "theirs.html"
    ours.write_text(shapeinspect.inspect(network, (1, 3, 224, 224)).to_html(), encoding="utf-8")
    torchvista.trace_model(
        network, torch.zeros(1, 3, 224, 224), export_format="html", export_path=str(theirs)
    )
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    used, costs = _clock(tab), []
    for file, drawn in ((ours, "html[data-ready=yes]"), (theirs, "div[id^=graph_] svg g g")):
        before = used()
        tab.goto(file.as_uri())
        tab.wait_for_selector(drawn, timeout=60_000, state="attached")
        costs.append(used() - before)
    with capsys.disabled():
        print(f"\nfirst picture: {costs[0]:.0f} ms, torchvista {costs[1]:.0f} ms of processor time")
        print(f"size: {ours.stat().st_size / 1000:.0f} kB, torchvista {theirs.stat().st_size / 1000:.0f} kB")
    assert costs[1] / costs[0] >= 1.1
    assert theirs.stat().st_size / ours.stat().st_size >= 5
    assert not [url for url in asked if not url.startswith("file:")]


def _cost(tab: Any, used: Callable[[], float]) -> float:
    before = used()
    frames = tab.evaluate(_FRAMES, 60)
    return (used() - before) / float(frames)
