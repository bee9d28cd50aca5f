"""PyTorch networks of several axes that depend on one another, live and exported to ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fit_judge import Shapes, Subject, case
from fit_modules import Code, subject, weight
from torch import Tensor, nn
from torch.nn import functional as F


def exported(folder: Path, net: nn.Module, fed: tuple[int, ...], free: dict[int, str]) -> Subject:
    """Export a network of one input with open axes, to be run by onnxruntime."""
    import onnxruntime

    path = folder / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a trace fixes is what is tested
        torch.onnx.export(
            net.eval(),
            (torch.zeros(fed),),
            str(path),
            input_names=["x"],
            dynamic_axes={"x": free},
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)

    def run(shapes: Shapes) -> bool:
        try:
            session.run(None, {"x": np.zeros(shapes[0], np.float32)})
        except Exception:  # noqa: BLE001  # onnxruntime's own exceptions derive from Exception alone
            return False
        return True

    return Subject(path, None, run)


def windows(net: Any, x: Tensor) -> Tensor:
    x = net.embed(x).permute(0, 2, 3, 1)
    batch, height, width, channels = x.shape
    x = x.view(batch, height // 3, 3, width // 3, 3, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, 9, channels)


def audio_unet(net: Any, x: Tensor) -> Tensor:
    first = net.down(x)
    second = net.deeper(first)
    return net.up(net.back(second) + first) + x


def chunks(net: Any, x: Tensor) -> Tensor:
    x = net.conv(x).transpose(1, 2)
    return net.head(x.reshape(x.shape[0], x.shape[1] // 4, 4 * x.shape[2]))


def padded(net: Any, x: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    y = F.pad(x, (0, (8 - width % 8) % 8, 0, (8 - height % 8) % 8))
    return net.up(net.down(y))[..., :height, :width] + x


def pyramid(net: Any, x: Tensor) -> Tensor:
    fine = net.down(x)
    coarse = net.deeper(fine)
    return fine + F.interpolate(coarse, size=fine.shape[-2:])


def heads(net: Any, x: Tensor) -> Tensor:
    batch, steps, width = x.shape
    q, k, v = net.qkv(x).reshape(batch, steps, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
    mixed = torch.softmax(q @ k.transpose(-2, -1), -1) @ v
    return mixed.transpose(1, 2).reshape(batch, steps, width) + net.table[:, :steps]


def layers(kind: str) -> nn.Module:
    """Return the network of one of the functions above."""
    made: dict[str, nn.Module] = {
        "windows": Code(windows, embed=nn.Conv2d(3, 5, 2, 2)),
        "audio": Code(
            audio_unet,
            down=nn.Conv1d(2, 2, 4, 2, 1),
            deeper=nn.Conv1d(2, 2, 6, 4, 1),
            back=nn.ConvTranspose1d(2, 2, 6, 4, 1),
            up=nn.ConvTranspose1d(2, 2, 4, 2, 1),
        ),
        "chunks": Code(chunks, conv=nn.Conv1d(2, 3, 3, 2), head=nn.Linear(12, 5)),
        "padded": Code(padded, down=nn.Conv2d(3, 4, 8, 8), up=nn.ConvTranspose2d(4, 3, 8, 8)),
        "pyramid": Code(pyramid, down=nn.Conv2d(3, 4, 3, 2, 1), deeper=nn.Conv2d(4, 4, 3, 2, 1)),
        "heads": Code(heads, qkv=nn.Linear(6, 18), table=weight(1, 20, 6)),
    }
    return made[kind]


SIDES = [1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 16, 17, 18, 19, 24, 30, 33]
LONG = [*range(1, 34), 40, 47, 48, 55, 56, 64, 72]


@case((1, 3, "H", "W"), H=SIDES, W=SIDES)
def export_windows(folder: Path) -> Subject:
    return exported(folder, layers("windows"), (1, 3, 12, 18), {2: "h", 3: "w"})


@case(("N", 2, "L"), N=[1, 2], L=LONG)
def export_audio_unet(folder: Path) -> Subject:
    return exported(folder, layers("audio"), (1, 2, 32), {0: "n", 2: "l"})


@case((1, 2, "L"), L=LONG)
def export_chunks(folder: Path) -> Subject:
    return exported(folder, layers("chunks"), (1, 2, 33), {2: "l"})


@case((1, 3, "H", "W"), H=SIDES, W=SIDES)
def export_padded(folder: Path) -> Subject:
    return exported(folder, layers("padded"), (1, 3, 16, 24), {2: "h", 3: "w"})


@case((1, 3, "H", "W"), H=SIDES, W=SIDES)
def export_pyramid(folder: Path) -> Subject:
    return exported(folder, layers("pyramid"), (1, 3, 16, 24), {2: "h", 3: "w"})


@case(("N", "T", 6), N=[1, 2, 3], T=list(range(1, 30)))
def export_heads(folder: Path) -> Subject:
    return exported(folder, layers("heads"), (1, 12, 6), {0: "n", 1: "t"})


@case(("N", 2, "L"), N=[1, 2], L=LONG)
def live_audio_unet(_: Path) -> Subject:
    return subject(layers("audio"), (1, 2, 32))


@case((1, 3, "D", "H", "W"), D=[2, 4, 6, 8], H=[6, 8, 12, 16], W=[4, 8, 12, 16])
def tokens_of_a_volume(_: Path) -> Subject:
    """As many tokens as positions: the product of three lengths."""

    def forward(net: Any, x: Tensor) -> Tensor:
        return net.patches(x).flatten(2).transpose(1, 2) + net.table

    net = Code(forward, patches=nn.Conv3d(3, 5, (2, 4, 4), (2, 4, 4)), table=weight(1, 12, 5))
    return subject(net, (1, 3, 4, 8, 12))


@case((1, 3, "D", "H", "W"), D=[1, 2, 4, 5], H=[3, 6, 7, 9], W=[4, 5, 10, 15])
def windows_of_a_volume(_: Path) -> Subject:
    def forward(_net: Any, x: Tensor) -> Tensor:
        batch, channels, depth, height, width = x.shape
        return x.view(batch, channels, depth // 2, 2, height // 3, 3, width // 5, 5).sum((3, 5, 7))

    return subject(Code(forward), (1, 3, 4, 6, 10))


@case((1, "A", 5), (1, "B", 5), (1, "C", 5), A=[1, 2, 4, 7, 9], B=[1, 3, 5, 8], C=[1, 2, 6, 10])
def three_inputs_share_a_table(_: Path) -> Subject:
    """The lengths of all three together are the positions that there are, at most."""

    def forward(net: Any, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        whole = torch.cat([x, y, z], 1)
        return whole + net.table(torch.arange(whole.shape[1]))

    return subject(Code(forward, table=nn.Embedding(16, 5)), (1, 4, 5), (1, 5, 5), (1, 6, 5))


@case((1, 2, "L"), (1, "T", 4), L=[8, 9, 15, 16, 17, 24, 40], T=[1, 2, 3, 4, 5, 6, 10])
def frames_and_their_labels(_: Path) -> Subject:
    """A length that follows from strides has to be the other input's own."""

    def forward(net: Any, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([net.conv(x).transpose(1, 2), y], -1)

    return subject(Code(forward, conv=nn.Conv1d(2, 3, 8, 4, 2)), (1, 2, 16), (1, 4, 4))


@case((1, 3, "H", "W"), (1, 1, "A", "B"), H=[8, 9, 16], W=[8, 12, 13], A=[4, 5, 8], B=[4, 6, 7])
def picture_and_half_mask(_: Path) -> Subject:
    def forward(net: Any, x: Tensor, mask: Tensor) -> Tensor:
        return net.conv(x) * mask.expand(-1, 4, -1, -1)

    return subject(Code(forward, conv=nn.Conv2d(3, 4, 2, 2)), (1, 3, 8, 12), (1, 1, 4, 6))
