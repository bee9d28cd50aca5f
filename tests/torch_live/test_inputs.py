"""What a forward takes, however it is given; and what it cannot take."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import ModelCodeError, UsageError


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(19, 6)
        self.image = nn.Linear(5, 6)

    def forward(
        self, ids: torch.Tensor, image: torch.Tensor, scale: torch.Tensor | None = None
    ) -> torch.Tensor:
        out = self.embed(ids.view(ids.shape[0], -1)).mean(1) + self.image(image)
        return out if scale is None else out * scale


def test_dataclasses_named_tuples_and_keywords_go_in_and_come_out(nets: Any, check: Any) -> None:
    batch = nets.Batch(torch.randn(2, 3, 8, 9), {"more": [torch.randn(4), torch.randn(5, 6)]})
    pair = nets.Pair(torch.randn(2, 5), torch.randn(2, 6))
    found = check(nets.Nested(), batch, pair, bias=torch.randn(7))
    assert found.inputs == (
        "batch.image",
        "batch.extra.more.0",
        "batch.extra.more.1",
        "pair.left",
        "pair.right",
        "bias",
    )
    assert found.outputs == ("image", "extra.mixed.0", "batch.extra.more.0", "batch.extra.more.1")
    assert found.values["extra.mixed.0"].shape == (2, 7)


def test_dicts_of_any_kind_go_in(check: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(5, 3)

        def forward(self, batch: dict[str, Any], *rest: Any, **named: Any) -> OrderedDict[str, Any]:
            out = self.fc(batch["x"]) + rest[0] + named["shift"]
            return OrderedDict(out=out, plain=3)

    found = check(Net(), OrderedDict(x=torch.randn(2, 5)), torch.randn(3), shift=torch.randn(1))
    assert found.inputs == ("batch.x", "rest.0", "shift")
    assert found.outputs == ("out",)


def test_outputs_take_the_names_under_which_they_are_returned(nets: Any, read: Any) -> None:
    found = read(nets.UNet(), (1, 2, 23, 29))
    assert found.outputs == ("mask", "deep")
    assert found.values["deep"].shape == (1, 14, 6, 8)


def test_shapes_are_named_by_the_forwards_parameters(read: Any) -> None:
    found = read(TwoInputs(), ["2,3,4", (2, 5)])
    assert found.inputs == ("ids", "image")
    assert (found.values["ids"].dtype, found.values["image"].dtype) == ("int64", "float32")
    assert [note.text for note in found.notes] == [
        '"ids" goes to an embedding, so int64 is assumed where no dtype was given'
    ]
    found = read(TwoInputs().double(), {"image": (2, 5), "scale": (1,), "ids": "2,7:int32"})
    assert found.values["ids"].dtype == "int32"
    assert found.values["image"].dtype == "float64"
    assert found.notes == ()


def test_a_dtype_that_an_embedding_cannot_take_is_refused(read: Any) -> None:
    with pytest.raises(ModelCodeError, match="takes integers"):
        read(TwoInputs(), ["2,7:float32", "2,5"])


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ((2, symbol("H")), "axis 1"),
        ((UNKNOWN, 5), "axis 0"),
    ],
)
def test_a_length_that_is_no_number_is_refused(inputs: Any, text: str, read: Any) -> None:
    from shapeinspect.sources.input_shapes import InputSpec

    with pytest.raises(UsageError, match="numbers") as raised:
        read(nn.Linear(5, 3), [InputSpec(inputs)])
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ([(2, 7)], "missing a required argument: 'image'"),
        ([(2, 7), (2, 5), (1,), (1,)], "too many positional arguments"),
        ({"ids": (2, 7), "picture": (2, 5)}, "missing a required argument|unexpected keyword"),
    ],
)
def test_inputs_that_do_not_fit_the_forward_are_refused(inputs: Any, text: str, read: Any) -> None:
    with pytest.raises(UsageError, match=text) as raised:
        read(TwoInputs(), inputs)
    assert "forward(ids" in str(raised.value)


def test_without_input_the_tree_is_shown_and_an_input_asked_for(nets: Any, read: Any) -> None:
    found = read(nets.ResNet())
    assert found.calls == ()
    assert [layer.path for layer in found.layers][:3] == ["conv1", "bn1", "relu"]
    assert len(found.notes) == 1
    assert "--input" in found.notes[0].text
    assert '"conv1", has in_channels 3' in found.notes[0].text


def test_a_forward_without_parameters_needs_no_input(read: Any) -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(3, 4))

        def forward(self) -> torch.Tensor:
            return self.table * 2

    found = read(Table())
    assert found.values[found.outputs[0]].shape == (3, 4)
