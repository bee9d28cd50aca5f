"""Fixes call torch's modules as the user's file does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("", "torch.nn.functional"),
        ("import torch.nn.functional as F", "F"),
        ("import torch.nn.functional as func", "func"),
        ("F = 3", "torch.nn.functional"),
    ],
)
def test_a_fix_runs_where_it_is_pasted(tmp_path: Path, line: str, name: str) -> None:
    made = "a, b = torch.ones(4, 3, 9, 8), torch.ones(4, 3, 6, 5)"
    body = f"import torch\n{line}\n{made}\ny = torch.cat([a, b], 1)\n"
    script = tmp_path / "join.py"
    script.write_text(body)
    space: dict[str, Any] = {"__name__": "__main__"}
    with pytest.raises(RuntimeError) as caught:
        exec(compile(body, str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes[0].text == f"feed {name}.interpolate(b, size=(9, 8))"
    assert eval(found.fixes[0].text.removeprefix("feed "), space).shape == (4, 3, 9, 8)
