"""What training keeps: held to the byte against the tensors that autograd saves in a real pass and back.

Every network below whose kinds have a rule is exact; the others are lower bounds, and say so. The same walk,
run once on whole networks of torchvision and transformers (ResNet-18, VGG, DenseNet, SqueezeNet, RegNet,
MobileNetV3, EfficientNet, ConvNeXt, ViT, LLaMA), was exact, too; Swin, GPT-2 and BERT with dropout inside of
the fused attention were lower bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeinspect
from shapeinspect.backward.following import Share, kept_for_backward, total
from shapeinspect.dims import substitute
from shapeinspect.render.forms.records import records
from shapeinspect.render.table import View

IMAGE = (2, 6, 8, 10)
TEXT = (2, 9, 12)


class Net(nn.Module):
    """Some layers, and what is done with them."""

    def __init__(self, run: Callable[..., Any], *layers: nn.Module, weight: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.layers, self.run = nn.ModuleList(layers), run
        if weight:
            self.scale = nn.Parameter(torch.randn(*weight))

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, x)


def saved(net: nn.Module, *inputs: torch.Tensor) -> int:
    """Return the bytes of all memory that autograd holds until the backward pass, which is then run."""
    net.train()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers())}
    found: dict[int, int] = {}
    held: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor)  # so that no address is used again
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = net(*inputs)
    out = out[0] if isinstance(out, tuple) else out
    out.sum().backward()
    return sum(found.values())


def conv() -> nn.Module:
    return nn.Conv2d(6, 5, 3, padding=1)


def images(*layers: nn.Module) -> tuple[nn.Module, tuple[int, ...]]:
    return nn.Sequential(conv(), *layers), IMAGE


def op(run: Callable[[Any], Any]) -> tuple[nn.Module, tuple[int, ...]]:
    return Net(lambda self, x: run(self.layers[0](x)), conv()), IMAGE


def texts(*layers: nn.Module) -> tuple[nn.Module, tuple[int, ...]]:
    return nn.Sequential(nn.Linear(12, 12), *layers), TEXT


def of_text(run: Callable[..., Any], *layers: nn.Module, weight: tuple[int, ...] = ()) -> Any:
    return Net(run, nn.Linear(12, 12), *layers, weight=weight), TEXT


def heads(x: torch.Tensor) -> torch.Tensor:
    return x.view(2, 9, 3, -1).transpose(1, 2)


def fused(self: Any, x: torch.Tensor) -> torch.Tensor:
    q, k, v = map(heads, self.layers[1](self.layers[0](x)).chunk(3, -1))
    return self.layers[2](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(TEXT))  # type: ignore[no-any-return]  # of a module


def by_hand(self: Any, x: torch.Tensor) -> torch.Tensor:
    q, k, v = (heads(layer(x)) for layer in self.layers[:3])
    weights = F.dropout((q @ k.transpose(-1, -2) / 2).softmax(-1), 0.1)
    return self.layers[3]((weights @ v).transpose(1, 2).contiguous().view(TEXT))  # type: ignore[no-any-return]  # of a module


def packed(self: Any, x: torch.Tensor) -> torch.Tensor:
    q, k, v = self.layers[1](self.layers[0](x)).reshape(2, 9, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
    weights = ((q * 4**-0.5) @ k.transpose(-2, -1)).softmax(-1)
    return self.layers[2]((weights @ v).transpose(1, 2).reshape(TEXT))  # type: ignore[no-any-return]  # of a module


def attend(weighed: bool, rate: float, first: bool) -> Any:
    def run(self: Any, x: torch.Tensor) -> Any:
        y = self.layers[0](x)
        return self.layers[2](self.layers[1](y, y, y, need_weights=weighed)[0])

    return of_text(run, nn.MultiheadAttention(12, 3, dropout=rate, batch_first=first), nn.Linear(12, 7))


ACTIVATIONS = [
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Hardtanh,
    nn.ReLU6,
    nn.Softplus,
    nn.Tanh,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Tanhshrink,
    nn.Softshrink,
    nn.Hardshrink,
    nn.PReLU,
]
#: Layers between a convolution and a function that keeps what it returns.
BETWEEN: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: nn.BatchNorm2d(5),
    "group norm": lambda: nn.GroupNorm(5, 5),
    "instance norm": lambda: nn.InstanceNorm2d(5),
    "its scale": lambda: nn.InstanceNorm2d(5, affine=True),
    "max pool": lambda: nn.MaxPool2d(3, 2),
    "mean pool": lambda: nn.AvgPool2d(2),
    "mean": lambda: nn.AdaptiveAvgPool2d(1),
    "adaptive": lambda: nn.AdaptiveAvgPool2d(3),
    "adaptive max": lambda: nn.AdaptiveMaxPool2d(2),
    "dropout": lambda: nn.Dropout(0.2),
    "channels": lambda: nn.Dropout2d(0.2),
    "no dropout": lambda: nn.Dropout(0.0),
    "transposed": lambda: nn.ConvTranspose2d(5, 4, 2, 2),
    "upsample": lambda: nn.Upsample(scale_factor=2),
    "softmax": lambda: nn.Softmax(1),
    "log": lambda: nn.LogSoftmax(1),
    "zeros": lambda: nn.ZeroPad2d(1),
    "mirrored": lambda: nn.ReflectionPad2d(1),
    "identity": nn.Identity,
    "gated": lambda: nn.GLU(2),
    "flatten": lambda: nn.Flatten(2),
    "same": lambda: nn.Conv2d(5, 4, 4, padding="same"),
    "mirror": lambda: nn.Conv2d(5, 4, 3, padding=1, padding_mode="reflect"),
    "frozen": lambda: nn.Conv2d(5, 4, 3).requires_grad_(False),
    "frozen norm": lambda: nn.BatchNorm2d(5).requires_grad_(False),
}
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "y*sum": lambda y: y * y.sum(),
    "2y": lambda y: y * 2,
    "y/3": lambda y: y / 3,
    "1-y": lambda y: 1 - y,
    "y²": lambda y: y**2,
    "√": lambda y: y.abs().sqrt(),
    "exp": torch.exp,
    "mean": lambda y: y.mean(1),
    "max": lambda y: y.max(1)[0],
    "amax": lambda y: y.amax(1),
    "var": lambda y: y.var(1),
    "std": lambda y: y.std(1),
    "cat": lambda y: torch.cat([y, y.sigmoid()], 1),
    "stack": lambda y: torch.stack([y, y]),
    "clamp": lambda y: y.clamp(0, 1),
    "where": lambda y: torch.where(y > 0, y, -y),
    "mask": lambda y: y.masked_fill(y > 0, 0.0),
    "part": lambda y: y[:, 1:3].sigmoid().flatten(1),
    "squeeze and excite": lambda y: y * y.mean((2, 3), keepdim=True).sigmoid(),
    "row": lambda y: F.gelu(y[:, 0]),
    "larger": lambda y: torch.maximum(y, -y),
    "product": lambda y: y @ y.transpose(-1, -2),
    "first": lambda y: y.unbind(1)[0].tanh(),
    "sum of exp": lambda y: y.logsumexp(1),
    "running": lambda y: y.cumsum(1),
    "rms": lambda y: y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6),
    "top": lambda y: y.topk(2, 1)[0],
    "interpolate": lambda y: F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False),
}
EXACT: dict[str, Callable[[], Any]] = {
    **{
        f"act {kind.__name__}": (lambda kind=kind: images(kind(), nn.Conv2d(5, 4, 3))) for kind in ACTIVATIONS
    },
    **{name: (lambda make=make: images(nn.GELU(), make(), nn.Sigmoid())) for name, make in BETWEEN.items()},
    **{name: (lambda run=run: op(run)) for name, run in OPERATIONS.items()},
    "overwritten": lambda: images(
        nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 7)
    ),
    "mlp": lambda: texts(nn.LayerNorm(12), nn.GELU(), nn.Linear(12, 5, bias=False), nn.Tanh()),
    "rms norm": lambda: texts(nn.RMSNorm(12), nn.Linear(12, 5)),
    "plain rms": lambda: texts(nn.RMSNorm(12, elementwise_affine=False)),
    "permuted": lambda: op(lambda y: F.layer_norm(F.gelu(y.permute(0, 2, 3, 1)), (5,)).permute(0, 3, 1, 2)),
    "rows": lambda: (
        Net(
            lambda self, x: self.layers[1](F.gelu(self.layers[0](x).permute(0, 2, 3, 1))),
            conv(),
            nn.Linear(5, 9),
        ),
        IMAGE,
    ),
    "patches": lambda: (
        Net(
            lambda self, x: self.layers[1](self.layers[0](x).flatten(2).transpose(1, 2)),
            conv(),
            nn.Linear(5, 7),
        ),
        IMAGE,
    ),
    "fused": lambda: of_text(fused, nn.Linear(12, 36), nn.Linear(12, 7)),
    "by hand": lambda: of_text(by_hand, *(nn.Linear(12, 12) for _ in range(3))),
    "packed": lambda: of_text(packed, nn.Linear(12, 36), nn.Linear(12, 7)),
    **{
        f"heads {weighed} {rate} {first}": (lambda w=weighed, r=rate, f=first: attend(w, r, f))
        for weighed in (False, True)
        for rate in (0.0, 0.1)
        for first in (False, True)
    },
    "encoder": lambda: (nn.TransformerEncoderLayer(12, 3, 20, batch_first=True), TEXT),
    "encoder without dropout": lambda: (nn.TransformerEncoderLayer(12, 3, 20, 0.0, norm_first=True), TEXT),
    "parameter added": lambda: of_text(lambda self, x: self.layers[0](x) + self.scale, weight=(1, 9, 12)),
    "parameter multiplied": lambda: of_text(lambda self, x: self.scale * self.layers[0](x), weight=(12,)),
    "parameter transposed": lambda: of_text(
        lambda self, x: self.layers[0](x) @ self.scale.t(), weight=(5, 12)
    ),
    "parameter joined": lambda: of_text(
        lambda self, x: torch.cat([self.scale.expand(2, -1, -1), self.layers[0](x)], 1).tanh(),
        weight=(1, 1, 12),
    ),
    "called twice": lambda: of_text(lambda self, x: self.layers[0](self.layers[0](x).sigmoid())),
    "one dimension": lambda: (
        nn.Sequential(
            nn.Conv1d(9, 5, 3),
            nn.BatchNorm1d(5),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(5, 2),
        ),
        TEXT,
    ),
    "three dimensions": lambda: (
        nn.Sequential(
            nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3), nn.ReLU(), nn.MaxPool3d(2), nn.AdaptiveAvgPool3d(1)
        ),
        (1, 2, 6, 7, 8),
    ),
}
#: What a loss is computed of, and what it is held against.
LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mse": nn.MSELoss(),
    "mse of a function": F.mse_loss,
    "l1": nn.L1Loss(reduction="sum"),
    "smooth": nn.SmoothL1Loss(),
    "huber": nn.HuberLoss(),
    "of logits": nn.BCEWithLogitsLoss(pos_weight=torch.rand(7)),
    "of probabilities": nn.BCELoss(),
    "divergence": nn.KLDivLoss(reduction="batchmean"),
    "classes": nn.CrossEntropyLoss(weight=torch.rand(7)),
    "classes, added up": lambda y, t: F.cross_entropy(y, t, reduction="sum"),
    "likelihood": nn.NLLLoss(),
}
UNKNOWN_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "not reduced": nn.MSELoss(reduction="none"),
    "of logarithms": nn.KLDivLoss(log_target=True),
    "counts": nn.PoissonNLLLoss(),
}


class Judged(nn.Module):
    def __init__(self, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.fc, self.loss = nn.Linear(12, 7), loss

    def forward(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.loss(self.fc(x).sigmoid(), target)


def judged(name: str, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> tuple[Share, int]:
    labels = name.startswith(("classes", "likelihood", "smoothed"))
    target = torch.zeros(9, dtype=torch.long) if labels else torch.rand(9, 7)
    net, x = Judged(loss), torch.randn(9, 12)
    return total(kept_for_backward(shapeinspect.inspect(net, (x, target)).model).values()), saved(
        net, x, target
    )


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_keeps(name: str) -> None:
    found, want = judged(name, LOSSES[name])
    assert (found.size, found.lacking) == (want, 0)


@pytest.mark.parametrize("name", UNKNOWN_LOSSES)
def test_what_a_loss_keeps_that_has_no_rule(name: str) -> None:
    found, want = judged(name, UNKNOWN_LOSSES[name])
    assert found.lacking == 1
    assert int(str(found.size)) <= want


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(12, 36), nn.Linear(12, 7)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = map(heads, self.project(x).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(TEXT))  # type: ignore[no-any-return]  # of a module


@pytest.mark.parametrize("shape", [(2, 1, 9, 9), (9, 9)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_a_mask_of_truth_values_is_kept_as_numbers(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    net, x, mask = Masked(), torch.randn(*TEXT), torch.ones(*shape).to(dtype)
    found = total(kept_for_backward(shapeinspect.inspect(net, (x, mask)).model).values())
    assert (found.size, found.lacking) == (saved(net, x, mask), 0)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    "settings", [{}, {"bidirectional": True}, {"bias": False}, {"nonlinearity": "relu"}], ids=str
)
@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_what_recurrent_layers_keep(kind: Any, settings: dict[str, Any], first: bool) -> None:
    if kind is nn.GRU and "nonlinearity" in settings:
        settings = {"num_layers": 1}
    layer = kind(12, 5, batch_first=first, **settings)
    net, _ = of_text(lambda self, x: self.layers[1](self.layers[0](x))[0], layer)
    found = total(kept_for_backward(shapeinspect.inspect(net, TEXT).model).values())
    assert (found.size, found.lacking) == (saved(net, torch.randn(*TEXT)), 0)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_of_stacked_recurrent_layers_it_is_open_whether_there_is_dropout(rate: float) -> None:
    layer = nn.GRU(12, 5, 3, dropout=rate, bidirectional=True)
    net, _ = of_text(lambda self, x: self.layers[1](self.layers[0](x))[0], layer)
    found = total(kept_for_backward(shapeinspect.inspect(net, TEXT).model).values())
    masks = 2 * 4 * 2 * 9 * 10 if rate else 0  # of 10 states at each step, below each layer but the first
    assert found.lacking == 1
    assert int(str(found.size)) == saved(net, torch.randn(*TEXT)) - masks


#: Kinds without a rule, or with one that does not know enough.
BOUNDS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: of_text(lambda self, x: self.layers[1](self.layers[0](x))[0], nn.LSTM(12, 5)),
    "two grus": lambda: of_text(
        lambda self, x: self.layers[1](self.layers[0](x))[0], nn.GRU(12, 5, 2, dropout=0.1)
    ),
    "einsum": lambda: op(lambda y: torch.einsum("nchw,nchv->nwv", y, y)),
    "2/y": lambda: op(lambda y: 2 / y),
    "leaky": lambda: images(nn.LeakyReLU(), nn.Conv2d(5, 4, 3)),
    "leaky, overwritten": lambda: images(nn.LeakyReLU(inplace=True), nn.Conv2d(5, 4, 3)),
    "normalize": lambda: op(lambda y: F.normalize(y, dim=1)),
    "dropout in the kernel": lambda: of_text(
        lambda self, x: F.scaled_dot_product_attention(*(heads(self.layers[0](x)),) * 3, dropout_p=0.1)
    ),
    "parameter of a function": lambda: of_text(
        lambda self, x: F.linear(self.layers[0](x), self.scale), weight=(5, 12)
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_is_kept_is_what_autograd_saves(name: str) -> None:
    net, shape = EXACT[name]()
    want = saved(net, torch.randn(*shape))
    model = shapeinspect.inspect(net, shape).model
    found = total(kept_for_backward(model).values())
    assert (found.size, found.lacking) == (want, 0)


@pytest.mark.parametrize("name", BOUNDS)
def test_what_is_not_known_is_said_and_the_rest_is_no_more_than_the_truth(name: str) -> None:
    net, shape = BOUNDS[name]()
    want = saved(net, torch.randn(*shape))
    found = total(kept_for_backward(shapeinspect.inspect(net, shape).model).values())
    assert found.lacking
    assert isinstance(found.size or 0, int)
    assert int(str(found.size or 0)) < want


def test_indices_and_double_numbers_have_their_own_bytes() -> None:
    words = nn.Sequential(nn.Embedding(11, 12), nn.Linear(12, 7))
    ids = torch.zeros(2, 9, dtype=torch.long)
    found = total(kept_for_backward(shapeinspect.inspect(words, ids).model).values())
    assert found.size == saved(words, ids) == 8 * 2 * 9 + 4 * 2 * 9 * 12
    double = nn.Sequential(nn.Linear(12, 7), nn.LayerNorm(7), nn.BatchNorm1d(9)).double()
    x = torch.randn(*TEXT, dtype=torch.float64)
    assert total(kept_for_backward(shapeinspect.inspect(double, x).model).values()).size == saved(double, x)


def test_the_table_shows_the_column_and_whose_rules_it_follows() -> None:
    report = shapeinspect.inspect(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), (2, 3, 16, 20))
    image, result = 4 * 2 * 3 * 16 * 20, 4 * 2 * 8 * 14 * 18
    assert [record["kept"] for record in records(report.model)] == [image, result]
    text = report.to_text(View(columns=("layer", "kept")))
    assert f"kept for backward {(image + result) / 1000:.1f} kB · as PyTorch keeps it on a CPU" in text
    recurrent = shapeinspect.inspect(nn.Sequential(nn.Linear(12, 7), nn.LSTM(7, 5)), TEXT)
    assert "≥ 864 B · not known of 1 tensor · " in recurrent.to_text(View(columns=("layer", "kept")))


def test_a_file_of_any_source_is_counted_by_the_same_rules() -> None:
    """LeNet as an ONNX file with an open batch, against the same network of torch for one image and three."""
    file = Path(__file__).parents[1] / "data" / "lenet.onnx"
    size = total(kept_for_backward(shapeinspect.inspect(str(file)).model).values()).size
    for batch in (1, 3):
        net = nn.Sequential(
            nn.Conv2d(1, 6, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )
        assert size is not None
        assert substitute(size, {"N": batch}) == saved(net, torch.randn(batch, 1, 32, 32))
