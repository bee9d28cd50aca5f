"""Twenty more networks: sizes that an export bakes in, divided sizes, joint axes, and several named axes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fit_exports import exported
from fit_judge import Shapes, Subject, case
from fit_keras import lite
from fit_modules import Code, subject, weight
from torch import Tensor, nn
from torch.nn import functional as F

SIDES = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 14, 15, 18, 20, 21, 22, 27, 28, 35, 36]
LONG = [*range(1, 30), 31, 32, 36, 45, 50, 63, 64, 90]
BATCH = [1, 2, 3, 4, 5, 6, 8, 9]


def several(
    folder: Path, net: nn.Module, fed: dict[str, tuple[int, ...]], free: dict[str, dict[int, str]]
) -> Subject:
    """Export a network of several inputs, to be run by onnxruntime."""
    import onnxruntime

    path, names = folder / "m.onnx", [*fed]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a trace fixes is what is tested
        torch.onnx.export(
            net.eval(),
            tuple(torch.zeros(shape) for shape in fed.values()),
            str(path),
            input_names=names,
            dynamic_axes=free,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)

    def run(shapes: Shapes) -> bool:
        feed = {name: np.zeros(shape, np.float32) for name, shape in zip(names, shapes, strict=True)}
        try:
            session.run(None, feed)
        except Exception:  # noqa: BLE001  # onnxruntime's own exceptions derive from Exception alone
            return False
        return True

    return Subject(path, None, run)


@case(("N", 6, "T"), N=BATCH, T=LONG)
def fresh_export_bakes_int_of_shape(folder: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.conv(x)
        return net.fc(x.view(int(x.shape[0]), int(x.shape[1]) * int(x.shape[2])))

    net = Code(forward, conv=nn.Conv1d(6, 4, 5, 3), fc=nn.Linear(4 * 7, 3))
    return exported(folder, net, (2, 6, 23), {0: "n", 2: "t"})


@case(("N", 3, "H", "W"), N=[1, 2, 3], H=SIDES, W=[7, 8, 14, 15, 28])
def fresh_export_view_of_one(folder: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.fc(net.pool(net.conv(x)).view(1, -1, 5).mean(1))

    net = Code(
        forward, conv=nn.Conv2d(3, 5, 3, 2, 1), pool=nn.MaxPool2d(2, ceil_mode=True), fc=nn.Linear(5, 4)
    )
    return exported(folder, net, (1, 3, 14, 28), {0: "n", 2: "h", 3: "w"})


@case(("N", 3, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_export_upsample_to_baked(folder: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.down(x)
        return F.interpolate(y, size=(int(x.shape[2]), int(x.shape[3]))) + x

    net = Code(forward, down=nn.Conv2d(3, 3, 3, 2, 1))
    return exported(folder, net, (1, 3, 18, 27), {0: "n", 2: "h", 3: "w"})


@case(("N", 4, "H", "W"), N=[1, 3], H=SIDES, W=SIDES)
def fresh_export_transposed_skip(folder: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        return torch.cat([net.up(net.down(x)), x], 1)

    net = Code(forward, down=nn.Conv2d(4, 6, 5, 3, 1), up=nn.ConvTranspose2d(6, 4, 3, 3))
    return exported(folder, net, (1, 4, 21, 18), {0: "n", 2: "h", 3: "w"})


@case(("N", "S", 8), ("N", "T", 8), N=[1, 2, 4], S=[1, 2, 5, 9, 12, 20], T=[1, 2, 5, 9, 12, 20])
def fresh_export_two_named_lengths(folder: Path) -> Subject:
    def forward(net: Any, query: Tensor, keys: Tensor) -> Tensor:
        scores = torch.softmax(net.q(query) @ net.k(keys).transpose(1, 2), -1)
        return scores @ keys + query + net.table[:, : query.shape[1]]

    net = Code(forward, q=nn.Linear(8, 6), k=nn.Linear(8, 6), table=weight(1, 12, 8))
    free = {"query": {0: "n", 1: "s"}, "keys": {0: "n", 1: "t"}}
    return several(folder, net, {"query": (2, 5, 8), "keys": (2, 9, 8)}, free)


@case(("N", "P", 7), ("N", "Q", 7), N=[1, 2], P=[1, 2, 3, 4, 6, 8], Q=[1, 2, 3, 4, 6, 8])
def fresh_export_past_and_new(folder: Path) -> Subject:
    def forward(net: Any, past: Tensor, new: Tensor) -> Tensor:
        whole = torch.cat([past, new], 1)
        return net.fc(whole.reshape(whole.shape[0], whole.shape[1] // 2, 14))

    net = Code(forward, fc=nn.Linear(14, 5))
    free = {"past": {0: "n", 1: "p"}, "new": {0: "n", 1: "q"}}
    return several(folder, net, {"past": (2, 6, 7), "new": (2, 4, 7)}, free)


@case(("N", 2, "T"), N=[1, 2, 3], T=LONG)
def fresh_export_lstm_chunks(folder: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        steps = x.unfold(2, 9, 4).permute(0, 2, 1, 3).flatten(2)
        return net.fc(steps)

    net = Code(forward, fc=nn.Linear(18, 5))
    return exported(folder, net, (1, 2, 45), {0: "n"})


@case(("N", 3, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_divided_grid(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        tiles = x[:, :, : h // 5 * 5, : w // 7 * 7].reshape(n, c, h // 5, 5, w // 7, 7)
        return net.fc(tiles.permute(0, 2, 4, 1, 3, 5).flatten(3))

    return subject(Code(forward, fc=nn.Linear(105, 6)), (1, 3, 10, 14))


@case(("N", 3, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_half_and_rest(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        top, bottom = x[:, :, : x.shape[2] // 2], x[:, :, x.shape[2] // 2 :]
        return net.conv(torch.cat([top, bottom.flip(2)], 1))

    return subject(Code(forward, conv=nn.Conv2d(6, 4, 3)), (1, 3, 14, 20))


@case(("N", 3, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_turned_sum(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        y = net.conv(x)
        return y + y.transpose(2, 3)

    return subject(Code(forward, conv=nn.Conv2d(3, 4, (3, 5), (1, 2))), (1, 3, 10, 19))


@case(("N", 1, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_area_of_the_table(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        tokens = net.patch(x).flatten(2).transpose(1, 2)
        return net.fc(tokens + net.table)

    return subject(
        Code(forward, patch=nn.Conv2d(1, 4, 3, 3), fc=nn.Linear(4, 3), table=weight(1, 12, 4)), (1, 1, 9, 12)
    )


@case(("N", "T", 6), N=BATCH, T=LONG)
def fresh_batch_in_pairs(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        n, t, c = x.shape
        return net.fc(x.view(n // 2, 2, t, c).flatten(2)[:, :, : 5 * c])

    return subject(Code(forward, fc=nn.Linear(30, 4)), (2, 7, 6))


@case(("N", 2, "T"), N=[1, 2], T=LONG)
def fresh_rounded_quarter(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        keep = max(x.shape[2] // 4, 3)
        return net.conv(x[..., :keep]) + net.conv(x[..., -keep:])

    return subject(Code(forward, conv=nn.Conv1d(2, 3, 3)), (1, 2, 24))


@case(("N", 2, "T"), N=[1, 2], T=LONG)
def fresh_stops_at_sixteen(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        while x.shape[2] > 4:
            x = net.conv(x)
        return net.fc(x.flatten(1))

    return subject(Code(forward, conv=nn.Conv1d(2, 2, 3, 2), fc=nn.Linear(6, 3)), (1, 2, 15))


@case(("N", 4, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_shuffled(_: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        small = F.pixel_unshuffle(x, 3)
        return F.pixel_shuffle(net.conv(small), 3) * x

    return subject(Code(forward, conv=nn.Conv2d(36, 36, 3, padding=1)), (1, 4, 9, 12))


@case(("N", 3, "T"), ("N", 3, "U"), N=[1, 2], T=[1, 2, 3, 5, 6, 7, 8, 11, 12], U=[1, 2, 3, 4, 5, 6, 7, 8, 12])
def fresh_two_lengths_meet(_: Path) -> Subject:
    def forward(net: Any, a: Tensor, b: Tensor) -> Tensor:
        return net.a(a) + net.b(b)

    return subject(Code(forward, a=nn.Conv1d(3, 4, 3, 2), b=nn.Conv1d(3, 4, 2, 1)), (1, 3, 7), (1, 3, 4))


@case(("N", "H", "W", 3), N=[1, 2], H=SIDES, W=[6, 7, 12, 13, 14, 20])
def fresh_lite_flattens(folder: Path) -> Subject:
    def build(keras: Any, layers: Any, x: Any) -> Any:
        y = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, strides=2)(x))
        return keras.Model(x, layers.Dense(5)(layers.Flatten()(y)))

    return lite(folder, build, (1, 14, 13, 3))


@case(("N", "T", 4), N=[1, 2, 3], T=LONG)
def fresh_lite_steps(folder: Path) -> Subject:
    def build(keras: Any, layers: Any, x: Any) -> Any:
        y = layers.Conv1D(6, 4, strides=3, padding="same")(x)
        return keras.Model(x, layers.Dense(2)(layers.Reshape((-1, 12))(y)))

    return lite(folder, build, (1, 24, 4))


@case(("N", "H", "W", 2), N=[1, 2], H=SIDES, W=SIDES)
def fresh_lite_skip(folder: Path) -> Subject:
    def build(keras: Any, layers: Any, x: Any) -> Any:
        y = layers.UpSampling2D(2)(layers.AveragePooling2D(2)(x))
        return keras.Model(x, layers.Add()([y, layers.Conv2D(2, 3, padding="same")(x)]))

    return lite(folder, build, (1, 10, 18, 2))


@case(("N", 2, "H", "W"), N=[1, 2], H=SIDES, W=SIDES)
def fresh_export_joint_flatten(folder: Path) -> Subject:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.fc(net.conv(x).reshape(x.shape[0], -1, 12))

    net = Code(forward, conv=nn.Conv2d(2, 3, 3, 2), fc=nn.Linear(12, 4))
    return exported(folder, net, (1, 2, 9, 11), {0: "n", 2: "h", 3: "w"})
