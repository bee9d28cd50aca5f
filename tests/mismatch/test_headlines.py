"""What stands at the head of a diagnosis is true of the failure, whatever the failure is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.mismatch.reasons.headlines import CONDITIONS, headline
from shapeinspect.mismatch.sizes.requirements import problem_of
from shapeinspect.mismatch.words.causes import CAUSES, sentence
from shapeinspect.plugin_api.rerun import Failure


def _failure(
    kind: str, shapes: tuple[tuple[int, ...], ...], dtype: str = "float32", **settings: Any
) -> Failure:
    names = tuple(f"x{at}" for at in range(len(shapes)))
    values = {name: Value(name, shape, dtype) for name, shape in zip(names, shapes, strict=True)}
    layer = Layer("it", kind, settings.pop("type", kind), attributes=Frozen(settings))
    return Failure(
        Model("", "live", "f", "f", (layer,), values=Frozen(values), inputs=names), layer, names, ""
    )


_CAT = {"axis": 1}
_WINDOW = {"in_channels": 3, "kernel_size": (3, 3), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
#: By the cause: a failure of which its words are true, and one of which they are not.
_EXAMPLES: dict[str, tuple[Failure, Failure]] = {
    "broadcast": (
        _failure("elementwise", ((3, 4), (2, 4))),
        _failure("elementwise", ((3, 4), (1, 4))),
    ),
    "channels": (_failure("conv", ((2, 5, 9, 8),), **_WINDOW), _failure("conv", ((2, 3, 2, 8),), **_WINDOW)),
    "concat-axis": (
        _failure("concat", ((3, 4), (2, 4)), **_CAT),
        _failure("concat", ((86, 1), (23,)), **_CAT),
    ),
    "dtype": (
        _failure("embedding", ((2, 4),), num_embeddings=5),
        _failure("embedding", ((2, 4),), dtype="int64", num_embeddings=5),
    ),
    "extra-axis": (
        _failure("elementwise", ((2, 3, 4), (5, 4))),
        _failure("elementwise", ((2, 3, 4), (2, 5, 4))),
    ),
    "features": (
        _failure("linear", ((2, 7),), in_features=5),
        _failure("linear", ((2, 5),), in_features=5),
    ),
    "inner": (_failure("matmul", ((3, 4), (5, 6))), _failure("matmul", ((3, 4, 5), (2, 5, 6)))),
    "length": (_failure("elementwise", ((3, 4), (3, 5))), _failure("elementwise", ((3, 4), (7, 3, 5)))),
    "missing-axis": (
        _failure("concat", ((3, 4), (3, 4, 1)), **_CAT),
        _failure("concat", ((3, 4), (2, 4)), **_CAT),
    ),
    "output-size": (
        _failure("loss", ((2, 3, 9, 8), (2, 3, 7, 8))),
        _failure("loss", ((2, 3, 9, 8), (4, 5, 9, 8))),
    ),
    "patches": (
        _failure("reshape", ((2, 48, 64, 5),), shape=(2, 6, 7, 9, 7, 5)),
        _failure("reshape", ((2, 48, 63, 5),), shape=(2, 30, 5)),
    ),
    "rank-of-operands": (
        _failure("elementwise", ((3, 4, 5), (3, 4))),
        _failure("elementwise", ((3, 4, 5), (3, 4, 6))),
    ),
    "reshape": (
        _failure("reshape", ((2, 6),), shape=(5, -1)),
        _failure("reshape", ((2, 6),), shape=(-1, -1)),
    ),
    "samples": (_failure("loss", ((5, 3), (4,))), _failure("loss", ((5, 3), (5, 4)))),
    "space": (
        _failure("elementwise", ((2, 3, 9, 8), (2, 3, 7, 8))),
        _failure("elementwise", ((2, 3, 9, 8), (4, 3, 7, 8))),
    ),
    "too-small": (_failure("conv", ((2, 3, 2, 8),), **_WINDOW), _failure("conv", ((2, 3, 9, 8),), **_WINDOW)),
    "unequal": (_failure("stack", ((2, 3), (2, 4))), _failure("stack", ((2, 3), (2, 3)))),
    "unequal-samples": (_failure("module", ((5, 3), (4, 3))), _failure("module", ((5, 3), (5, 4)))),
}


def test_every_condition_has_its_examples() -> None:
    assert {*_EXAMPLES} | {"batch-mixed"} == {*CONDITIONS}  # a reshape takes part in that one, see below
    assert {*CONDITIONS} <= {*CAUSES}


@pytest.mark.parametrize("cause", _EXAMPLES)
def test_words_stand_where_they_are_true_and_nowhere_else(cause: str) -> None:
    good, bad = _EXAMPLES[cause]
    assert headline(cause, good, problem_of(good)) == cause
    instead = headline(cause, bad, problem_of(bad))
    assert instead != cause
    condition = CONDITIONS.get(instead)
    shapes = [bad.model.values[name].shape for name in bad.inputs]
    assert condition is None or condition(bad, problem_of(bad), shapes)  # type: ignore[arg-type]  # whole numbers


#: Words that name parts which not every kind has.
_WORDS = {
    "channels": {"conv", "conv_transpose", "max_pool", "batch_norm", "module", "unknown"},
    "one axis too few": {
        "conv",
        "linear",
        "lstm",
        "max_pool",
        "batch_norm",
        "module",
        "unknown",
        "attention",
    },
    "time": {"lstm", "attention", "module", "unknown", "loss", "gru"},
    "number of features": {"linear", "lstm", "batch_norm", "layer_norm", "module", "unknown", "conv", "gru"},
    "kernel": {"conv", "max_pool", "module", "unknown"},
}


@pytest.mark.parametrize("kind", ["elementwise", "concat", "stack", "loss"])
def test_no_words_name_what_a_kind_does_not_have(kind: str) -> None:
    for cause in ("channels-last", "missing-axis", "extra-axis", "batch-first", "space", "not-flattened"):
        said = sentence(cause, kind)
        for word, kinds in _WORDS.items():
            assert word not in said or kind in kinds, (cause, kind, said)


#: Calls that torch refuses, what is not true of each, and what is.
_CALLS = {
    "products of other batches": (
        "torch.bmm(torch.ones(3, 4, 5), torch.ones(2, 5, 6))",
        "inner",
        "broadcast",
    ),
    "two open lengths": ("torch.ones(4, 6).view(-1, -1)", "keep the number", "does not take"),
    "strides": ("torch.ones(4, 6).t().view(24)", "keep the number", "contiguous"),
    "ranks joined": (
        "torch.cat([torch.ones(86, 1), torch.ones(23)], 1)",
        "other than the",
        "numbers of axes",
    ),
    "rows joined": ("torch.cat([torch.ones(3, 4), torch.ones(2, 4)], 1)", "number of axes", "other than the"),
    "a short picture": ("nn.Conv2d(6, 8, 5)(torch.ones(2, 6, 3, 9))", "channels", "smaller than the kernel"),
    "channels": ("nn.Conv2d(6, 8, 3)(torch.ones(2, 4, 9, 8))", "kernel", "input channels"),
    "another dtype": ("nn.Conv2d(6, 8, 3)(torch.ones(2, 6, 9, 8).double())", "smaller", "dtype"),
    "an index of gather": ("torch.ones(3, 4).gather(1, torch.full((3, 2), 6))", "table", "for its axis"),
    "an index of a table": ("nn.Embedding(5, 3)(torch.full((2, 4), 7))", "dtype", "out of range"),
    "axes in another order": ("torch.ones(3, 4, 5) + torch.ones(4, 3, 5)", "time", "order"),
    "sides": ("torch.ones(2, 3, 9, 8) * torch.ones(2, 3, 5, 4)", "channels", "height, width or length"),
    "a label": ("F.cross_entropy(torch.ones(4, 3), torch.tensor([0, 1, 2, 3]))", "shape", "loss expects"),
    "labels": (
        "F.cross_entropy(torch.ones(4, 3), torch.tensor([0, 1, 2]))",
        "label is",
        "numbers of samples",
    ),
    "a length": (
        "F.ctc_loss(torch.ones(6, 2, 5), torch.ones(2, 3), torch.tensor([9, 9]), torch.tensor([3, 3]))",
        "broadcast",
        "larger than",
    ),
    "widths": ("nn.LayerNorm(7)(torch.ones(2, 5, 6))", "channels", "number of input features"),
    "a state": ("nn.GRU(3, 4)(torch.ones(5, 2, 3), torch.ones(1, 6, 4))", "features", "initial state"),
    "batches of a loss": ("F.mse_loss(torch.ones(4, 3), torch.ones(5, 3))", "spatial", "samples"),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", _CALLS)
def test_the_headline_of_a_refused_call_is_true(name: str, tmp_path: Path) -> None:
    call, refuted, proven = _CALLS[name]
    body = f"import torch\nfrom torch import nn\nimport torch.nn.functional as F\n{call}\n"
    script = tmp_path / "call.py"
    script.write_text(body)
    with pytest.raises((RuntimeError, IndexError, ValueError)) as caught:
        exec(compile(body, str(script), "exec"), {"__name__": "__main__"})
    found = explain_error(caught.value)
    assert found is not None
    said = sentence(found.cause, found.layer.kind)
    assert proven in said, said
    assert refuted not in said, said
