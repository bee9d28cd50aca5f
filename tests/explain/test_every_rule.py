"""Every kind has its formulas, and what is printed is true: worked out again, and by the frameworks."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import shapeinspect
from shapeinspect.commands.explain import help_text
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.explanation.calculator import single_layer
from shapeinspect.rules import KINDS as ROWS
from shapeinspect.rules.registry import calculated

Run = Callable[..., tuple[int, str, str]]
#: Kinds that the calculator does not take: a signature of the source's own operator gives their shapes, the
#: user names them, or the work is unknown.
BY_SIGNATURE = {
    *(
        "fft",
        "generation",
        "lambda",
        "linear_attention",
        "moe",
        "operation",
        "select",
        "sequence",
        "spectrogram",
        "svm",
        "tree_ensemble",
    ),
}
KINDS = sorted(
    name for name, row in ROWS.items() if row.has_arithmetic and name not in {"input", *BY_SIGNATURE}
)
FUNCTIONS = {"floor": math.floor, "ceil": math.ceil, "min": min, "max": max, "Fraction": Fraction}

# An input with as many symbols as the screen shows (N, C) is computed with these.
LENGTHS = {"N": 2, "C": 3}


def keras_layer(name: str, **settings: Any) -> Callable[[], Any]:
    """Make a Keras layer where it is used; its answer is its shape and its number of weights."""

    def make() -> Any:
        import keras

        return getattr(keras.layers, name)(**settings)

    return make


def stacked() -> Any:
    """Make a Keras layer of two cells."""
    from keras import layers

    return layers.RNN([layers.LSTMCell(5), layers.SimpleRNNCell(4)])


class TwoHeads(nn.Module):
    """torch's attention on one input."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, x, x, need_weights=True)[0]


def long(x: torch.Tensor) -> torch.Tensor:
    return x.long()


# For each kind of its example: the same op in torch, or a maker of a Keras layer.
SAME: dict[str, Any] = {
    "conv": nn.Conv1d(8, 16, 5),
    # weights of its own at each of 7·7 places: a product of each column of 3·3·5 numbers with 7 filters
    "local_conv": lambda x: F.unfold(x[None], (3, 5))[0].T.matmul(torch.ones(45, 7)).T.reshape(7, 7, 7),
    "conv_transpose": nn.ConvTranspose2d(3, 5, 4, 2, 1),
    "separable_conv": nn.Sequential(
        nn.Conv2d(3, 6, 3, groups=3, bias=False), nn.Conv2d(6, 8, 1)
    ),
    "conv_lstm": keras_layer(
        "ConvLSTM2D", filters=7, kernel_size=3, return_sequences=True, data_format="channels_first"
    ),
    "linear": nn.Linear(300, 7),
    "bilinear": nn.Bilinear(3, 5, 7),
    "matmul": torch.matmul,
    "gemm": lambda a, b: a.T @ b,
    "batch_dot": lambda a, b: torch.einsum("nac,nbc->nab", a, b),
    "einsum": lambda a, b: torch.einsum("bij,bjk->bik", a, b),
    "embedding": lambda x: nn.Embedding(50, 5)(long(x)),
    "embedding_bag": lambda x: nn.EmbeddingBag(50, 5)(long(x)),
    "attention": TwoHeads(),
    "rnn": nn.RNN(3, 5),
    "lstm": nn.LSTM(3, 5),
    "gru": nn.GRU(3, 5),
    "stacked_rnn": stacked,
    "rnn_cell": nn.RNNCell(3, 5),
    "lstm_cell": nn.LSTMCell(3, 5),
    "gru_cell": nn.GRUCell(3, 5),
    "batch_norm": nn.BatchNorm2d(3),
    "instance_norm": nn.InstanceNorm2d(3),
    "group_norm": nn.GroupNorm(3, 6),
    "layer_norm": nn.LayerNorm(5),
    "rms_norm": nn.RMSNorm(5),
    "local_response_norm": nn.LocalResponseNorm(2),
    "normalize": lambda x: F.normalize(x, dim=1),
    "max_pool": nn.MaxPool2d(3, 2, 1),
    "avg_pool": nn.AvgPool2d(3, 2, 1),
    "lp_pool": lambda x: F.lp_pool2d(F.pad(x, (1, 1, 1, 1)), 2, 3, 2),
    "adaptive_avg_pool": nn.AdaptiveAvgPool2d((10, 11)),
    "adaptive_max_pool": nn.AdaptiveMaxPool2d((10, 11)),
    "global_avg_pool": nn.AdaptiveAvgPool2d(1),
    "global_max_pool": nn.AdaptiveMaxPool2d(1),
    "global_lp_pool": lambda x: x.norm(dim=(2, 3), keepdim=True),
    "fractional_max_pool": nn.FractionalMaxPool2d(2, output_size=(4, 5)),
    "max_unpool": lambda x: nn.MaxUnpool2d(2)(x, torch.zeros_like(x, dtype=torch.int64)),
    "resize": lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"),
    "grid_sample": lambda x, grid: F.grid_sample(x, grid, align_corners=False),
    "pixel_shuffle": nn.PixelShuffle(2),
    "depth_to_space": nn.PixelShuffle(2),
    "pixel_unshuffle": nn.PixelUnshuffle(2),
    "space_to_depth": nn.PixelUnshuffle(2),
    "channel_shuffle": nn.ChannelShuffle(3),
    "unfold": nn.Unfold((2, 3)),
    "fold": nn.Fold((7, 9), 2),
    "pad": lambda x: F.pad(x, (0, 3, 1, 2)),
    "crop": lambda x: F.pad(x, (0, -3, -1, -2)),
    "flatten": nn.Flatten(),
    "reshape": lambda x: x.reshape(4, -1),
    "unflatten": nn.Unflatten(1, (3, -1)),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "transpose2": lambda x: x.transpose(1, 2),
    "movedim": lambda x: x.movedim(1, -1),
    "squeeze": lambda x: x.squeeze(1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "concat": lambda *x: torch.cat(x, 1),
    "stack": lambda *x: torch.stack(x, 1),
    "split": lambda x: x.chunk(3, 1),
    "unstack": lambda x: x.unbind(0),
    "slice": lambda x: x[:, 2:9:3],
    "index": lambda x: x[:, 0],
    "gather_nd": lambda x, at: x[at[:, 0].long(), at[:, 1].long()],
    "gather": lambda x, at: x[torch.zeros_like(at, dtype=torch.int64)],
    "take_along": lambda x, at: x.gather(1, torch.zeros_like(at, dtype=torch.int64)),
    "scatter": lambda x, y: x.scatter(1, torch.zeros_like(y, dtype=torch.int64), y),
    "topk": lambda x: tuple(x.topk(4, 1)),
    "one_hot": lambda x: F.one_hot(torch.zeros_like(x, dtype=torch.int64), 11),
    "lookup": keras_layer("CategoryEncoding", num_tokens=11, output_mode="multi_hot"),
    # as the paper has it: each region to the same size, for every channel
    "roi_align": lambda x, boxes: F.adaptive_avg_pool2d(x[boxes[:, 0].long() * 0], (7, 9)),
    "repeat": lambda x: x.repeat_interleave(4, 1),
    "tile": lambda x: x.repeat(4, 1, 2),
    "expand": lambda x: x.expand(2, 3, 5),
    "constant": lambda _: torch.zeros(2, 3),
    "shape_of": lambda x: torch.tensor(x.shape),
    "reduce": lambda x: x.mean((2, 3)),
    "argmax": lambda x: x.argmax(1),
    "softmax": lambda x: x.softmax(1),
    "glu": nn.GLU(1),
    "activation": nn.ReLU(),
    "prelu": nn.PReLU(3),
    "elementwise": torch.add,
    "cast": lambda x: x.half(),
    "dropout": nn.Dropout(),
    "identity": nn.Identity(),
    "unary": torch.neg,
    "quantize": lambda x: torch.quantize_per_tensor(x, 1.0, 0, torch.quint8),
    "dequantize": lambda x: torch.quantize_per_tensor(x, 1.0, 0, torch.quint8).dequantize(),
    "augment": lambda x: x.flip(-1),
    "distance": nn.CosineSimilarity(2),
    "loss": lambda x, y: F.nll_loss(x, torch.zeros_like(y, dtype=torch.int64), reduction="none"),
}  # fmt: skip
# Multiply-accumulates that torch's counter does not see, from the definition: each gate has a product
# with the input and one with the state; a convolution of each of 4 gates over 3 + 7 channels.
MACS = {
    "rnn": 7 * 2 * 5 * (3 + 5),
    "gru": 7 * 2 * 3 * 5 * (3 + 5),
    "lstm": 7 * 2 * 4 * 5 * (3 + 5),
    "rnn_cell": 2 * 5 * (3 + 5),
    "gru_cell": 2 * 3 * 5 * (3 + 5),
    "lstm_cell": 2 * 4 * 5 * (3 + 5),
    "conv_lstm": 2 * 5 * (7 * 9) * 4 * 7 * (3 + 7) * 9,
    "bilinear": 2 * 7 * 3 * 5,
    "stacked_rnn": 7 * 2 * (4 * 5 * (3 + 5) + 4 * (5 + 4)),
}
# Weights that are no module's: 49 places of 45·7 numbers and a bias each, and two tables.
NUMBERS = {"local_conv": 49 * 45 * 7 + 49 * 7, "embedding": 50 * 5, "embedding_bag": 50 * 5}


def explained(kind: str, run: Run) -> Any:
    """Return the explanation of a kind's example, and check its screen."""
    words = shlex.split(ROWS[kind].example)
    code, out, err = run("explain", kind, *words, "--width", "80")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run("explain", kind, *words, "--format", "json")
    return json.loads(out)["layers"][0]


def worth(shown: str) -> Any:
    """Work out what is printed, with exact fractions and nothing else."""
    for sign, other in (("⌊", "floor("), ("⌋", ")"), ("⌈", "ceil("), ("⌉", ")"), ("−", "-"), ("·", "*")):
        shown = shown.replace(sign, other)
    numbers = re.sub(r"\d+(\.\d+)?", lambda number: f'Fraction("{number[0]}")', shown)
    return eval(numbers, {"__builtins__": {}}, FUNCTIONS)


def is_true(formula: dict[str, Any], result: Any) -> bool:
    """Tell whether a printed substitution gives what stands behind it; with symbols it must be written."""
    assert formula["result"] == result
    if not isinstance(result, int) or re.search("[A-Za-z]", re.sub("min|max", "", formula["substituted"])):
        return bool(formula["written"])
    return bool(worth(formula["substituted"]) == result)


def test_every_rule_has_an_example_and_an_oracle() -> None:
    assert list(calculated()) == KINDS
    assert sorted(SAME) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_axis_has_a_formula_that_is_true(kind: str, run: Run) -> None:
    layer = explained(kind, run)
    call = layer["calls"][0]
    outputs = [out["axes"] for out in call["outputs"]]
    assert outputs
    for axes in outputs:
        assert axes
        for axis in axes:
            assert axis["formula"] is not None, axis
            assert is_true(axis["formula"], axis["length"])
    for formula in (call["work"]["formula"], layer["numbers"]):
        if formula is not None:
            assert is_true(formula, formula["result"])
    assert call["work"]["formula"] is not None
    assert (layer["numbers"] is not None) == bool(layer["weights"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_the_result_is_the_frameworks(kind: str, run: Run) -> None:
    layer = explained(kind, run)
    call = layer["calls"][0]
    shapes = [
        tuple(
            LENGTHS[axis["length"]] if isinstance(axis["length"], str) else axis["length"]
            for axis in one["axes"]
        )
        for one in call["inputs"]
    ]
    ours = [
        tuple(LENGTHS.get(axis["length"], axis["length"]) for axis in one["axes"]) for one in call["outputs"]
    ]
    function, macs = SAME[kind], MACS.get(kind)
    if kind in ("conv_lstm", "lookup", "stacked_rnn"):
        made = function()
        made.build(shapes[0])
        assert ours == [tuple(made.compute_output_shape(shapes[0]))]
        count = made.count_params()
    else:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            found = function(*(torch.rand(shape) for shape in shapes))
        flat: list[torch.Tensor] = []
        for one in found if isinstance(found, tuple) else (found,):
            flat += one if isinstance(one, tuple) else [one]
        assert ours == [tuple(one.shape) for one in flat]
        count = sum(one.numel() for one in function.parameters()) if isinstance(function, nn.Module) else 0
        macs = counter.get_total_flops() // 2 if macs is None else macs
    assert (layer["numbers"] or {"result": 0})["result"] == NUMBERS.get(kind, count)
    assert call["work"]["total"] == (macs or 0)


def test_the_help_lists_every_kind(run: Run) -> None:
    listed = help_text().partition("The kinds are")[2].rstrip().rstrip(".")
    assert [word.strip() for word in listed.split(",")] == KINDS
    code, out, _ = run("explain", "--help")
    assert code == 0
    assert "adaptive_avg_pool" in out


def test_an_unknown_kind_lists_them_all(run: Run) -> None:
    code, _, err = run("explain", "convx")
    assert code == 2
    assert "did you mean conv" in err
    said = " ".join(err.split())
    assert all(kind in said for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_told_with_an_example_that_works(kind: str, run: Run) -> None:
    code, _, err = run("explain", kind)
    assert code == 2
    said = " ".join(err.split())
    assert f"{kind} needs an input" in said
    assert f"shapeinspect explain {kind} {ROWS[kind].example}" in said.replace("'", "")
    for setting in ROWS[kind].settings:
        assert setting in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("conv", "-i", "300", "--set", "kernl_size=3"), "perhaps kernel_size?"),
        (("lstm", "-i", "7,2,3"), "lstm needs hidden_size"),
        (("lstm", "-i", "7,2,3", "--hidden-size", "many"), "hidden_size=many is not a number"),
        (("attention", "-i", "2,7,12", "--embed-dim", "12"), "attention needs num_heads"),
        (("einsum", "-i", "2,3", "--equation", "ij,jk->ik", "--sizes", "k"), "sizes=k gives no length"),
        (("matmul", "-i", "2,3"), "do not determine the output shape of matmul"),
        (("conv", "-i", "300", "-k", "5", "--set", "stride"), "invalid value 'stride' for '--set'"),
        (("conv", "-i", "300", "-k", "0"), "kernel_size of at least 1"),
        (("conv", "-i", "30,28", "-k", "3", "-s", "2,0"), "stride of at least 1"),
        (("resize", "-i", "1,3,8,9"), "do not determine the output shape of resize"),
    ],
)
def test_wrong_settings_are_plain_errors(words: tuple[str, ...], said: str, run: Run) -> None:
    code, out, err = run("explain", *words)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


@pytest.mark.parametrize(
    ("words", "said", "refused"),
    [
        (("softmax", "-i", "2,3", "--axis", "5"), "more than 5 axes",
         lambda: torch.rand(2, 3).softmax(5)),
        (("normalize", "-i", "2,3", "--axis", "-3"), "more than 2 axes",
         lambda: F.normalize(torch.rand(2, 3), dim=-3)),
        (("attention", "-i", "2,7,12", "--embed-dim", "12", "--heads", "5"), "divisible by 5 heads",
         lambda: nn.MultiheadAttention(12, 5)),
    ],
)  # fmt: skip
def test_what_the_framework_refuses_is_refused(
    words: tuple[str, ...], said: str, refused: Callable[[], Any], run: Run
) -> None:
    with pytest.raises((IndexError, AssertionError)):
        refused()
    code, out, err = run("explain", *words)
    assert (code, out) == (1, "")
    assert said in " ".join(err.split())


def test_the_api_takes_the_same_settings() -> None:
    layer = shapeinspect.explain("lstm", input=(7, 2, 3), hidden_size=5)[0]
    assert layer.numbers is not None
    # 4 gates of 5 units: 3 + 5 weights and two biases each
    assert layer.numbers.result == 4 * 5 * (3 + 5 + 1 + 1)
    moved = shapeinspect.explain("movedim", input=(2, 3, 5), source=1, destination=-1)[0]
    assert moved.calls[0].outputs[0].shape == (2, 5, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_required_settings_are_those_that_the_rule_cannot_do_without(
    kind: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[Any] = []

    def keep(*arguments: Any) -> Any:
        models.append(single_layer(*arguments))
        return models[-1]

    monkeypatch.setattr("shapeinspect.api.answers.single_layer", keep)
    assert run("explain", kind, *shlex.split(ROWS[kind].example))[0] == 0
    (model,) = models
    attributes = model.layers[0].attributes
    inputs = tuple(model.values[name].shape for name in model.inputs)
    required = {one.name for one in ROWS[kind].attributes if one.default == "required"}
    assert required <= set(attributes)
    for name in attributes:
        default = ROWS[kind].settings[name].default
        rest = {key: value for key, value in attributes.items() if key != name}
        if name in required:
            with pytest.raises(KeyError):
                ROWS[kind].outputs(rest, inputs)
        elif not default.startswith(("by ", "from ", "none")) and default != "out_channels":
            with suppress(ShapeMismatchError):  # the default may not fit the example
                assert ROWS[kind].outputs(rest, inputs)
