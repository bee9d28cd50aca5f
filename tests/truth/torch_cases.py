"""torch modules with rarely used options: live, TorchScript, torch.export, held against a real forward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from truth_judge import Subject, case


def recorded(
    model: nn.Module, args: tuple[Any, ...]
) -> tuple[dict[str, list[list[tuple[int, ...]]]], list[tuple[int, ...]]]:
    """What every leaf module gave in one real call, by its path."""
    told: dict[str, list[list[tuple[int, ...]]]] = {}
    names = {m: n for n, m in model.named_modules()}

    def keep(module: nn.Module, _: Any, out: Any) -> None:
        flat = [t for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, torch.Tensor)]
        told.setdefault(names[module], []).append([tuple(t.shape) for t in flat])

    hooks = [
        m.register_forward_hook(keep)
        for m in model.modules()
        if not list(m.children()) and m is not model and "parametrizations" not in names[m]
    ]
    model.eval()
    with torch.no_grad():
        out = model(*args)
    for hook in hooks:
        hook.remove()
    return told, [tuple(t.shape) for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, torch.Tensor)]


def text(array: torch.Tensor) -> str:
    kind = str(array.dtype).removeprefix("torch.")
    return ",".join(map(str, array.shape)) + ("" if kind == "float32" else f":{kind}")


def forms(
    folder: Path,
    model: nn.Module,
    args: tuple[Any, ...],
    script: bool = True,
    export: bool = True,
    macs: Mapping[str, int] | None = None,
    **more: Any,
) -> Iterator[Subject]:
    layers, outputs = recorded(model, args)
    params = sum(p.numel() for p in model.parameters())
    given = tuple(text(a) for a in args)
    name = type(model).__name__.lower()
    yield Subject(
        f"{name}.live",
        model,
        layers=layers,
        outputs=outputs,
        params=params,
        given=given,
        macs=macs or {},
        **more,
    )
    if script:
        torch.jit.save(torch.jit.trace(model, args), folder / f"{name}.pt")
        yield Subject(
            f"{name}.pt (trace)", folder / f"{name}.pt", params=params, given=given, outputs=outputs
        )
    if export:
        torch.export.save(torch.export.export(model, args), folder / f"{name}.pt2")
        yield Subject(f"{name}.pt2", folder / f"{name}.pt2", params=params, outputs=outputs)


@case("torch")
def convolutions(folder: Path) -> Iterator[Subject]:
    class Convs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 8, (3, 5), padding="same", dilation=(2, 1), padding_mode="reflect")
            self.b = nn.Conv2d(8, 12, 3, stride=2, padding=(0, 2), padding_mode="circular", groups=4)
            self.c = nn.ConvTranspose2d(
                12, 6, (3, 4), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(1, 2), groups=2
            )
            self.d = nn.MaxPool2d(3, 2, padding=1, dilation=2, ceil_mode=True)
            self.e = nn.AvgPool2d(
                (2, 3), stride=(2, 2), ceil_mode=True, count_include_pad=False, padding=(1, 1)
            )
            self.f = nn.FractionalMaxPool2d(2, output_size=(5, 6))
            self.g = nn.LPPool2d(2, (2, 1), stride=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.g(self.f(self.e(self.d(self.c(self.b(self.a(x)))))))

    settings = {
        "a": {"padding_mode": "reflect", "dilation": [2, 1]},
        "b": {"padding_mode": "circular", "groups": 4},
        "c": {"output_padding": [1, 2]},
        "d": {"ceil_mode": True},
        "e": {"count_include_pad": False},
    }
    yield from forms(
        folder, Convs(), (torch.randn(2, 3, 29, 34),), export=False, script=False, settings=settings
    )


@case("torch")
def upsampling(folder: Path) -> Iterator[Subject]:
    class Ups(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Upsample(scale_factor=(1.5, 0.7), mode="bilinear")
            self.b = nn.PixelShuffle(2)
            self.c = nn.PixelUnshuffle(3)
            self.d = nn.ReflectionPad2d((1, 2, 0, 3))
            self.e = nn.ZeroPad2d((-1, 1, 2, -2))
            self.f = nn.AdaptiveAvgPool2d((None, 7))
            self.g = nn.Unfold((3, 2), stride=2, dilation=(1, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.b(self.a(x))
            y = F.interpolate(y, size=(y.shape[2] // 3 * 3, y.shape[3] // 3 * 3), mode="nearest")
            return self.g(self.f(self.e(self.d(self.c(y)))))

    yield from forms(folder, Ups(), (torch.randn(2, 8, 13, 21),))


@case("torch")
def recurrent(folder: Path) -> Iterator[Subject]:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.LSTM(6, 10, num_layers=2, bidirectional=True, proj_size=4, batch_first=True)
            self.b = nn.GRU(8, 5, bias=False, batch_first=True, bidirectional=True)
            self.c = nn.RNN(10, 3, nonlinearity="relu", batch_first=True)
            self.cell = nn.LSTMCell(3, 7)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            y, (h, _) = self.a(x)
            y, _ = self.b(y)
            y, n = self.c(y)
            hx, cx = self.cell(n[0])
            return h, hx + cx

    yield from forms(folder, Recurrent(), (torch.randn(2, 9, 6),))


@case("torch")
def attention(folder: Path) -> Iterator[Subject]:
    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.MultiheadAttention(
                24, 3, kdim=10, vdim=14, batch_first=True, add_bias_kv=True, add_zero_attn=True
            )
            self.n = nn.RMSNorm(24)
            self.q = nn.Linear(24, 48)
            self.kv = nn.Linear(24, 24)

        def forward(
            self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            y, w = self.a(q, k, v, average_attn_weights=False)
            y = self.n(y)
            qq = self.q(y).unflatten(-1, (6, 8)).transpose(1, 2)
            kk, vv = (self.kv(y).unflatten(-1, (3, 8)).transpose(1, 2),) * 2
            return F.scaled_dot_product_attention(qq, kk, vv, enable_gqa=True).flatten(2), w

    yield from forms(
        folder, Attend(), (torch.randn(2, 5, 24), torch.randn(2, 7, 10), torch.randn(2, 7, 14)), export=False
    )


@case("torch")
def encoder_decoder(folder: Path) -> Iterator[Subject]:
    class Full(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.t = nn.Transformer(16, 4, 2, 1, 40, norm_first=True, batch_first=True, activation="gelu")
            self.out = nn.Linear(16, 9)

        def forward(self, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return self.out(self.t(s, t, tgt_mask=self.t.generate_square_subsequent_mask(t.shape[1])))

    yield from forms(
        folder, Full(), (torch.randn(2, 7, 16), torch.randn(2, 5, 16)), script=False, export=False
    )


@case("torch")
def functions(folder: Path) -> Iterator[Subject]:
    class Functions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(20, 6, mode="sum")
            self.bil = nn.Bilinear(6, 5, 4)
            self.cos = nn.CosineSimilarity(dim=-1)
            self.w = nn.Parameter(torch.randn(3, 4))

        def forward(self, ids: torch.Tensor, x: torch.Tensor) -> list[torch.Tensor]:
            b = self.bag(ids)
            y = self.bil(b, x)
            z = torch.tensordot(y, self.w, dims=([1], [1]))
            k = torch.kron(z, torch.ones(2, 3))
            d = torch.cdist(y[None], x[None, :, :4])
            p = torch.baddbmm(torch.zeros(1, 4, 4), y.T[None], y[None], beta=0.5)
            e = torch.einsum("bi,bj->bij", y, z)
            g = torch.gather(e, 1, torch.zeros(e.shape[0], 2, 3, dtype=torch.long))
            s = torch.stack(torch.unbind(e, dim=1)[1:], dim=-1)
            r = torch.repeat_interleave(s, 2, dim=1).roll(1, 1).movedim(2, 0)
            m = torch.meshgrid(torch.arange(3), torch.arange(5), indexing="ij")[0]
            v = F.fold(F.unfold(x[None, None], (2, 2)), (3, 5), (2, 2))
            return [
                self.cos(z, z),
                k,
                d,
                p,
                g,
                r,
                m,
                v,
                F.glu(x[:, :4]),
                torch.cumprod(x, 0).diff(dim=1),
                torch.block_diag(x, z),
            ]

    yield from forms(folder, Functions(), (torch.randint(0, 9, (3, 7)), torch.randn(3, 5)))


@case("torch")
def normalizations(folder: Path) -> Iterator[Subject]:
    class Norms(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.g = nn.GroupNorm(2, 8, eps=1e-3, affine=False)
            self.i = nn.InstanceNorm2d(8, affine=True, track_running_stats=True)
            self.b = nn.BatchNorm2d(8, eps=2e-5, momentum=0.3)
            self.l = nn.LayerNorm([9, 11], elementwise_affine=False)
            self.r = nn.LocalResponseNorm(3)
            self.w = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 5, 3))
            self.s = nn.utils.parametrizations.spectral_norm(nn.Linear(9, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.s(self.w(self.r(self.l(self.b(self.i(self.g(x)))))))

    yield from forms(
        folder,
        Norms(),
        (torch.randn(2, 8, 9, 11),),
        script=False,
        export=False,
        settings={"g": {"eps": 1e-3}, "b": {"eps": 2e-5, "momentum": 0.3}},
    )


@case("torch")
def shared_and_frozen(folder: Path) -> Iterator[Subject]:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(30, 8, padding_idx=0)
            self.block = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8))
            self.head = nn.Linear(8, 30, bias=False)
            self.head.weight = self.emb.weight
            self.register_buffer("scale", torch.ones(8))
            for p in self.block[0].parameters():
                p.requires_grad_(False)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            y = self.emb(ids) * self.scale
            for _ in range(3):
                y = y + self.block(y)
            return self.head(y)

    model = Shared()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    layers, outputs = recorded(model, (torch.zeros(2, 5, dtype=torch.long),))
    yield Subject(
        "shared.live",
        model,
        layers=layers,
        outputs=outputs,
        params=sum(p.numel() for p in model.parameters()),
        trainable=trained,
        given=("2,5:int64",),
    )
    yield from forms(folder, model, (torch.zeros(2, 5, dtype=torch.long),))


@case("torch")
def complex_audio(folder: Path) -> Iterator[Subject]:
    class Audio(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", torch.hann_window(64))
            self.c = nn.Conv1d(33, 12, 5, stride=2)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            s = torch.stft(x, 64, 20, window=self.window, return_complex=True)
            y = self.c(s.abs())
            return y, torch.fft.rfft(y, n=50).real

    yield from forms(folder, Audio(), (torch.randn(2, 1000),), script=False)


@case("torch")
def dynamic_export(folder: Path) -> Iterator[Subject]:
    """torch.export with a batch and a length that are symbols."""

    class Dyn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Conv1d(4, 6, 3, stride=2, padding=1)
            self.f = nn.Linear(6, 5)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            y = self.c(x).transpose(1, 2)
            return self.f(y), torch.cat([y.mean(1), y.amax(1)], dim=-1)

    model, x = Dyn().eval(), torch.randn(3, 4, 20)
    dims = ({0: torch.export.Dim("batch"), 2: torch.export.Dim("length", min=4)},)
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=dims), folder / "dyn.pt2")
    outputs = [tuple(t.shape) for t in model(torch.randn(5, 4, 33))]
    yield Subject("dyn.pt2", folder / "dyn.pt2", {"x": (5, 4, 33)}, outputs=outputs, params=72 + 6 + 35)


@case("torch")
def loops_and_branches(folder: Path) -> Iterator[Subject]:
    class Cells(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(5, 7)
            self.out = nn.Linear(7, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.zeros(x.shape[0], 7)
            outs = []
            for k in range(x.shape[1]):
                h = self.cell(x[:, k], h)
                outs.append(self.out(h))
            return torch.stack(outs, dim=1)

    model = Cells()
    yield from forms(folder, model, (torch.randn(2, 6, 5),))
    torch.jit.save(torch.jit.script(model), folder / "scripted.pt")
    yield Subject("scripted.pt", folder / "scripted.pt", params=sum(p.numel() for p in model.parameters()))


@case("torch")
def broken(folder: Path) -> Iterator[Subject]:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Conv2d(3, 8, 3)
            self.f = nn.Linear(8 * 26 * 27, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.f(self.c(x).flatten(1))

    yield Subject("wrong.live", Wrong(), runs=False, given=("2,3,28,28",))
    yield Subject("right.live", Wrong(), {"x": (2, 3, 28, 29)}, outputs=[(2, 10)], given=("2,3,28,29",))
