"""A page that says why a call failed: what is drawn, what is said, where it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.cli import main
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.mismatch.sizes.clash import clashes
from shapeinspect.mismatch.sizes.requirements import Demand, Problem

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LENET = "tests/data/lenet.onnx"


class Joined(nn.Module):
    """Halves, doubles and joins: an odd height does not come back."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 5, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.up(self.down(x))], 1)


def drawn(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def failing(page: Path) -> RuntimeError:
    with (
        pytest.raises(RuntimeError, match="Sizes of tensors must match") as caught,
        shapeinspect.debug(Joined(), page=page) as watching,
    ):
        watching.model(torch.zeros(2, 3, 33, 48))  # type: ignore[operator]  # it is the network
    return caught.value


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RuntimeError]:
    """A page, and the error that it is about."""
    page = tmp_path_factory.mktemp("failing") / "error.html"
    return page, failing(page)


def test_debug_draws_the_layer_that_refused_and_says_where(failed: tuple[Path, RuntimeError]) -> None:
    page, error = failed
    assert error.__notes__[-1] == f"shapeinspect: {page} shows it"
    data = drawn(page)
    assert data["texts"][data["failed"]] == "cat"
    assert data["told"].startswith('layer "cat" (concat): ')
    assert "(2, 5, 34, 48)" in data["told"]
    assert data["families"]["wrong"] == "refuses"
    assert data["wrong"]["operands"] == [
        ["x", [["N2", False], ["C3", False], ["H33", True], ["W48", False]]],
        ["up", [["N2", False], ["C5", False], ["H34", True], ["W48", False]]],
    ]
    assert {data["texts"][index] for index in data["wrong"]["via"]} == {"x", "down", "up", "cat"}


def test_a_page_that_cannot_be_written_hides_no_error(tmp_path: Path) -> None:
    error = failing(tmp_path / "no folder" / "error.html")
    assert "cannot write" in error.__notes__[-1]
    assert 'layer "cat" (concat)' in error.__notes__[-2]


def test_a_page_that_cannot_be_drawn_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(diagnosis: object) -> str:
        raise LookupError(type(diagnosis).__name__)

    monkeypatch.setattr("shapeinspect.page.failing.diagnosis_page", refuse)
    error = failing(tmp_path / "error.html")
    assert error.__notes__[-1] == "shapeinspect: no page is drawn (LookupError: Diagnosis)"


def test_a_call_and_a_function_take_a_page(tmp_path: Path) -> None:
    for number, run in enumerate((_called, _decorated)):
        page = tmp_path / f"{number}.html"
        with pytest.raises(RuntimeError):
            run(page)
        assert drawn(page)["texts"][drawn(page)["failed"]] == "cat"


def _called(page: Path) -> None:
    shapeinspect.debug(Joined(), torch.zeros(2, 3, 33, 48), page=str(page))


def _decorated(page: Path) -> None:
    step: Callable[[], torch.Tensor] = shapeinspect.debug(_step, page=str(page))  # type: ignore[assignment]  # a function comes back as one
    step()


def _step() -> torch.Tensor:
    result: torch.Tensor = Joined()(torch.zeros(2, 3, 33, 48))
    return result


def test_check_draws_what_refuses_and_nothing_of_what_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "check.html"
    for words, code in ((["--input", "1,1,28,28"], 1), ([], 0)):
        page.unlink(missing_ok=True)
        with pytest.raises(SystemExit) as end:
            main(["check", LENET, *words, "--page", str(page)])
        assert (end.value.code or 0) == code
        assert page.exists() is bool(code)
        assert ("no page is written" in capsys.readouterr().err) is not bool(code)
    with pytest.raises(SystemExit) as end:
        main(["check", LENET, LENET, "--page", str(page)])
    assert end.value.code == 2


def test_the_layer_is_selected_in_red_with_its_explanation(
    browser: Browser, failed: tuple[Path, RuntimeError]
) -> None:
    path, _ = failed
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    assert page.evaluate("shapeinspect.state().selected") == "cat"
    told = page.inner_text("aside .told")
    assert page.locator("aside .told .clash").all_inner_texts() == ["H33", "H34"]
    assert page.inner_text("aside .told .fix").startswith("feed 34×48")
    assert told.startswith('layer "cat" (concat): ')
    assert "33 is odd" in told
    assert page.inner_text("#legend").strip().endswith("refuses")
    page.close()
    assert said == []


def test_layers_that_the_run_did_not_reach_are_pale_and_their_cards_say_so(
    browser: Browser, tmp_path: Path
) -> None:
    class Longer(Joined):
        def __init__(self) -> None:
            super().__init__()
            self.after = nn.Conv2d(8, 7, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.after(super().forward(image))
            return result

    path = tmp_path / "longer.html"
    with pytest.raises(RuntimeError):
        shapeinspect.debug(Longer(), torch.zeros(2, 3, 33, 48), page=str(path))
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{path.as_uri()}#layer=after")
    page.wait_for_selector("html[data-ready=yes]")
    assert "Not reached" in page.inner_text("aside")
    page.evaluate("location.hash = '#layer=cat'")
    page.wait_for_function("shapeinspect.state().selected === 'cat'")
    assert "Not reached" not in page.inner_text("aside")
    page.close()
    data = drawn(path)
    unreached = {data["texts"][name] for name in data["wrong"]["unreached"]}
    assert "after" in unreached
    assert not unreached & {"down", "up", "cat"}


@pytest.mark.parametrize(
    ("kind", "axis", "shapes", "wrong"),
    [
        ("concat", 1, ((2, 3, 33, 48), (2, 5, 34, 48)), {(0, 2), (1, 2)}),
        ("concat", -1, ((2, 3, 7), (4, 3, 9), (2, 3, 5)), {(0, 0), (1, 0), (2, 0)}),
        ("concat", 1, ((2, 3), (2, 3, 5)), set()),
        ("stack", 0, ((2, 3), (2, 4)), {(0, 1), (1, 1)}),
        ("elementwise", None, ((2, 3, 7), (5, 1)), {(0, 1), (1, 0)}),
        ("elementwise", None, ((2, 1, 7), (3, 7)), set()),
        ("matmul", None, ((2, 3, 7), (2, 5, 11)), {(0, 2), (1, 1)}),
        ("matmul", None, ((2, 3, 7), (7,)), set()),
        ("softmax", 1, ((2, 3),), set()),
    ],
)
def test_the_lengths_that_clash_are_found_by_the_rule_of_the_kind(
    kind: str, axis: int | None, shapes: tuple[tuple[int, ...], ...], wrong: set[tuple[int, int]]
) -> None:
    layer = Layer("layer", kind, kind, attributes=Frozen({} if axis is None else {"axis": axis}))
    assert clashes(Problem(None, None, None, shapes), layer) == wrong


def test_a_setting_clashes_with_the_axis_that_it_fixes() -> None:
    linear = Layer("fc", "linear", "Linear")
    assert clashes(Problem(None, None, Demand(0, 2, 12, 7, "in_features"), ((2, 9, 7),)), linear) == {(0, 2)}


def test_a_notebook_shows_a_diagnosis_with_what_clashes_in_bold(failed: tuple[Path, RuntimeError]) -> None:
    error = failed[1]
    html = error.__shapeinspect__._repr_html_()  # type: ignore[attr-defined]  # where the diagnosis is kept
    assert re.findall(r"<b [^>]*>(\w+)</b>", html) == ["H33", "H34"]
    assert "feed 34×48" in html
    assert "<script" not in html
    bare = re.sub(r"<[^>]+>", " ", re.sub(r' style="[^"]*"', "", html))
    assert bare.split()[:3] == ["layer", "&quot;cat&quot;", "(concat):"]


def test_names_from_a_model_are_no_markup_in_a_notebook() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("<img src=x onerror=alert(1)>", nn.Linear(12, 7))

        def forward(self, x: torch.Tensor) -> Any:
            return self._modules["<img src=x onerror=alert(1)>"](x)  # type: ignore[misc]  # it is there

    with pytest.raises(RuntimeError) as caught:
        shapeinspect.debug(Odd(), torch.zeros(2, 5))
    html = caught.value.__shapeinspect__._repr_html_()  # type: ignore[attr-defined]  # where the diagnosis is kept
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
