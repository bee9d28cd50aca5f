"""A tensor of another dtype than a function takes is told as that, and not as shapes that do not match."""

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


@pytest.mark.parametrize(
    ("line", "wants", "cast"),
    [
        ("made.masked_fill(flags, 0.0)", "bool", "bool"),
        ("torch.where(flags, made, -made)", "bool", "bool"),
        ("torch.masked_select(made, flags)", "bool", "bool"),
        ("made[:, places]", "int64", "long"),
        ("torch.softmax(flags, 1)", "float32", "float"),
        ("flags.mean(1)", "float32", "float"),
        ("torch.nn.functional.cross_entropy(made, flags)", "float32", "float"),
    ],
)
def test_a_tensor_of_another_type_than_a_function_takes(
    run: Callable[[str], None], line: str, wants: str, cast: str
) -> None:
    made = (
        "import torch\nmade, flags = torch.rand(3, 7), torch.arange(21).view(3, 7) % 2\n"
        "places = torch.tensor([4.0, 2.0])\n"
    )
    name = "places" if "places" in line else "flags"
    run(f"{made}picked = {line.replace(name, f'{name}.{cast}()')}\n")  # torch itself takes it so
    with pytest.raises((RuntimeError, IndexError)) as caught:
        run(f"{made}picked = {line}\n")
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "dtype"
    text = " ".join(describe(found).split())
    assert f"expected elements of type {wants} got" in text
    assert f"{name}.{cast}()" in text
