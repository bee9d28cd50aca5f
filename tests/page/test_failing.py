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


def test_debug_draws_the_layer_that_refused_and_says_where(tmp_path: Path) -> None:
    page = tmp_path / "error.html"
    error = failing(page)
    assert error.__notes__[-1] == f"shapeinspect: {page} shows it"
    data = drawn(page)
    assert data["texts"][data["failed"]] == "cat"
    assert data["told"].startswith('layer "cat" (concat): ')
    assert "(2, 5, 34, 48)" in data["told"]
    assert data["families"]["wrong"] == "refuses"


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


def test_the_layer_is_selected_in_red_with_its_explanation(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "error.html"
    failing(path)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    assert page.evaluate("shapeinspect.state().selected") == "cat"
    told = page.inner_text("aside pre.told")
    assert told.startswith('layer "cat" (concat): ')
    assert "33 is odd" in told
    assert page.inner_text("#legend").strip().endswith("refuses")
    page.close()
    assert said == []
