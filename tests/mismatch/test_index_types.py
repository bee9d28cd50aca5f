"""An index that is no tensor of integers is told as that, and not as shapes that do not match."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import describe


@pytest.mark.parametrize("line", ["made.gather(1, chosen)", "torch.index_select(made, 1, chosen[:, 0])"])
def test_an_index_of_another_type(run: Callable[[str], None], line: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        run(f"import torch\nmade, chosen = torch.rand(3, 7), torch.zeros(3, 1)\npicked = {line}\n")
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "dtype"
    text = " ".join(describe(found).split())
    assert "the input dtype does not match the layer" in text
    assert "expected elements of type int64 got float32" in text
