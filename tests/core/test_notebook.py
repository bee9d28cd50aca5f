"""What a notebook shows: read as HTML, and run in a kernel."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import shapeinspect
from shapeinspect.api.report import Report
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.render.forms.notebook import opening, preformatted

LENET = "tests/data/lenet.onnx"
#: What would be markup or a script, a direction, an end of a line.
EVIL = "</div></style><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\n\"'&amp;"


class _Page(HTMLParser):
    """Collects the tags, and the texts of the elements of each class; refuses what is not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.opened = self.blocks = 0
        self._around: list[str] = []
        self.feed(text)
        self.close()
        assert not self._around

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag == "details":
            self.blocks += 1
            self.opened += "open" in dict(attrs)
        if tag != "br":
            self._around.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._around.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._around:
            self.texts.append(data)


def _nested(blocks: int, inside: int) -> Model:
    """Blocks that differ from each other, so that none is folded."""
    weights = [
        (Weight(f"{number}.w", "weight", (number + 2, 3), "float32", 12 * (number + 2)),)
        for number in range(blocks)
    ]
    layers = [
        Layer(f"b{n}.l{at}", "linear", "Linear", (f"b{n}", f"l{at}"), weights=weights[n] if at == 0 else ())
        for n in range(blocks)
        for at in range(inside)
    ]
    return Model("net.pt", "torch", "torch", "torch", tuple(layers))


def test_a_table_has_a_block_for_every_container() -> None:
    page = _Page(opening(_nested(4, 3)))
    assert page.tags == {"style", "div", "p", "b", "span", "details", "summary", "pre"}
    assert (page.blocks, page.opened) == (4, 4)
    assert [text for text in page.texts if text in ("b0", "l2")] == ["b0", "l2", "l2", "l2", "l2"]


def test_a_name_that_begins_with_spaces_or_is_empty_stands_where_its_path_says() -> None:
    paths = (("a", "    b"), ("a", ""), ("c",))
    layers = tuple(
        Layer(".".join(parts), "linear", "Linear", parts, weights=(Weight(f"{n}.w", "w", (n + 2, 9)),))
        for n, parts in enumerate(paths)
    )
    model = Model("net.pt", "torch", "torch", "torch", layers)
    text = opening(model)
    assert _Page(text).blocks == 1
    assert [len(part.split('<div class="row leaf"')) - 1 for part in text.split("</details>")] == [2, 1]
    whole = shapeinspect.render.table.parts(model, shapeinspect.render.table.View(depth=0))
    assert whole.levels == (0, 0)


def test_a_long_table_opens_only_its_outermost_blocks() -> None:
    deep = _nested(30, 3)
    layers = tuple(
        Layer(f"net.{layer.path}", layer.kind, layer.type, ("net", *layer.parts), weights=layer.weights)
        for layer in deep.layers
    )
    page = _Page(opening(Model("net.pt", "torch", "torch", "torch", layers)))
    assert (page.blocks, page.opened) == (31, 1)


@pytest.mark.parametrize(("blocks", "inside"), [(300, 20), (3000, 2)])
def test_a_large_table_takes_at_most_200_kilobytes_and_says_what_it_leaves_out(
    blocks: int, inside: int
) -> None:
    text = opening(_nested(blocks, inside))
    assert len(text.encode()) <= 200_000
    assert f"of {blocks * inside:,} layers: print(report) has all" in text


def test_no_name_is_markup() -> None:
    layer = Layer(EVIL, "linear", EVIL, (EVIL,), weights=(Weight(EVIL, EVIL, (2, 3), EVIL, 24),))
    model = Model(EVIL, EVIL, EVIL, "a", (layer,), inputs=(EVIL,))
    report = Report(model)
    for text in (opening(model), preformatted([((EVIL, "path"), (EVIL, EVIL))]), report._repr_html_()):
        page = _Page(text)
        assert not page.tags & {"script", "img"}
        assert page.attributes <= {"class", "style", "open"}
        assert "\u202e" not in text
        assert any("<script>alert(1)</script>" in part for part in page.texts)


def test_every_result_has_its_form() -> None:
    report = shapeinspect.inspect(LENET)
    results: list[tuple[Any, str]] = [
        (report, "61,706"),
        (shapeinspect.explain(report, "conv1"), "6 filters of 5×5"),
        (shapeinspect.fit(LENET), "H"),
        (shapeinspect.diff(LENET, LENET), "are the same"),
    ]
    for result, said in results:
        assert said in "".join(_Page(result._repr_html_()).texts)
    assert "conv2" in report._ipython_key_completions_()


CELLS = (
    "%load_ext shapeinspect\n%load_ext shapeinspect",
    f"import shapeinspect\nshapeinspect.inspect({LENET!r})",
    "from torch import nn, zeros\nnet = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Flatten(), nn.Linear(96, 7))",
    "def step(x):\n    return net(x)\n\nstep(zeros(2, 3, 9, 9))",
    "1 / 0",
    "%unload_ext shapeinspect\nnet(zeros(2, 3, 9, 9))",
)


def test_a_shape_error_of_a_cell_is_explained_under_its_traceback() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=300, allow_errors=True, kernel_name="python3").execute()
    _, shown, _, failed, divided, unloaded = notebook.cells
    assert set(shown.outputs[0].data) == {"text/plain", "text/html"}
    error, explained = failed.outputs
    assert error.ename == "RuntimeError"
    text = explained.data["text/plain"]
    assert text.startswith('layer "2" (linear)')
    assert "In[4]:2  return net(x)" in text
    assert "feed 8×6" in text or "in_features=200" in text
    assert "in_features=200" in "".join(_Page(explained.data["text/html"]).texts)
    assert [output.output_type for output in divided.outputs] == ["error"]
    assert [output.output_type for output in unloaded.outputs] == ["error"], "no longer explained"


def test_where_a_page_takes_no_style_the_text_has_the_layers_too() -> None:
    """JupyterLab takes the style of a notebook that is not trusted away: what is left is the plain text."""
    html = shapeinspect.inspect("tests/data/lenet.onnx")._repr_html_()
    plain = re.search(r'<pre class="plain">(.*?)</pre>', html, re.DOTALL)
    assert plain is not None
    lines = [line.split() for line in plain[1].splitlines()]
    assert ["conv1", "conv"] in [words[:2] for words in lines]
    assert sum(words[:1] == ["fc3"] for words in lines) == 1
    assert len(plain[1]) <= 8_000
