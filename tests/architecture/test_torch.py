"""The torch networks: what each layer gives, as the papers and the arithmetic say."""

from __future__ import annotations

from typing import Any

import pytest


def test_resnet_50(shapes: Any, nets: Any) -> None:
    r = shapes(nets.ResNet((3, 4, 6, 3), 64, 1000), (2, 3, 224, 256))
    with shapes.block():
        assert r.input.matches("n 3 h w")
        assert r["maxpool"].output.matches("n 64 h/4 w/4")
        for stage in range(4):
            scale = 4 * 2**stage
            assert r[f"layers.{stage}"].output.matches(f"n {256 * 2**stage} h/{scale} w/{scale}")
        assert r.output.matches("n classes=1000")
    r.expect(
        """
        conv1: conv i=3 o=64 k=7 s=2 p=3 -> n 64 112 128
        layers.*.conv2: conv k=3 p=1
        layers.3.*.conv3: o=2048 k=1 -> n 2048 7 8
        layers.?.0.shortcut.0: k=1
        params == 25_557_032
        no layer: *dropout*
        """
    )


def test_nothing_is_computed_whatever_the_size(shapes: Any, nets: Any) -> None:
    # The activations would take 10 TB.
    r = shapes(nets.ResNet((3, 4, 6, 3), 64, 1000), (4096, 3, 2048, 2048))
    r.expect("avgpool: -> n 2048 1 1", "trainable == 25_557_032", "fc: -> 4096 1000")
    assert r["avgpool"].input.matches("4096 2048 64 64")


def test_one_convolution_at_two_sizes(shapes: Any, nets: Any) -> None:
    r = shapes(nets.Shared(), (2, 3, 19, 25))
    first, second = r["conv"].calls
    with shapes.block():
        assert first.input.matches("n c h w")
        assert first.output.matches("n c h-2 w-2")
        assert second.input.matches("n c (h-3)/2 (w-3)/2")
        assert second.output.matches("n c (h-3)/2-2 (w-3)/2-2")
    assert r.params == 3 * 3 * 3 * 3 + 3
    shapes.snapshot(r)


def test_resnet(shapes: Any, nets: Any) -> None:
    r = shapes(nets.ResNet(), (2, 3, 37, 45))
    assert r["layers.1.1.conv2"].out_channels == 16
    assert r["layers.1.0.conv2"].stride == (2, 2)
    assert len(r["layers.1.0.relu"].calls) == 3
    left, right = r["layers.1.0.add"].inputs
    assert left == right
    assert left == r["layers.1.0.bn3"].output == r["layers.1.0.shortcut"].output
    shapes.snapshot(r)


def test_densenet(shapes: Any, nets: Any) -> None:
    r = shapes(nets.DenseNet(), (2, 3, 17, 21))
    with shapes.block({"growth": 4}):
        assert r["stem"].output.matches("n c h w")
        for layer in range(3):
            assert r[f"dense.convs.layer{layer}.2"].output.matches("n growth h w")
            assert r[f"dense.convs.layer{layer}.0"].input.matches(f"n c+growth*{layer} h w")
        assert r["dense"].output.matches("n c+3*growth h w")
        assert r["avg_pool2d"].output.matches("n c+3*growth (h-1)/2 (w-1)/2")
    shapes.snapshot(r)


def test_unet(shapes: Any, nets: Any) -> None:
    r = shapes(nets.UNet(), (1, 2, 24, 32))
    with shapes.block():
        assert r.inputs[0].matches("n _ h w")
        assert r["down2"].output.matches("n 10 h/2 w/2")
        assert r["deep"].output.matches("n 14 h/4 w/4")
        assert r["up2"].output.matches("n 10 h/2 w/2")
        assert r["merge2"].input.matches("n (2*10) h/2 w/2")
        assert r["merge1"].output.matches("n 5 h w")
    assert [value.shape for value in r.outputs] == [(1, 5, 24, 32), (1, 14, 6, 8)]
    shapes.snapshot(r)


def test_mobilenet(shapes: Any, nets: Any) -> None:
    r = shapes(nets.MobileNet(), (2, 3, 33, 41))
    r.expect(
        "features.1.depthwise: conv i=27 o=27 g=27 k=5 -> n c h w",
        "features.2.depthwise: g=27 s=2 -> n c (h+1)/2 (w+1)/2",
        "features.3: k=3 d=1x2 g=3",
        "features.*.squeeze.0: -> n 27 1 1",
        "classifier: linear i=15 o=6 -> n 6",
    )
    shapes.snapshot(r)


def test_vision_transformer(shapes: Any, nets: Any) -> None:
    r = shapes(nets.ViT(), (2, 3, 8, 15))
    with shapes.block({"heads": 3}):
        assert r.input.matches("n 3 h w")
        assert r["patch"].output.matches("n dim h/4 w/5")
        assert r["cat"].output.matches("n t=h/4*w/5+1 dim")
        for block in ("blocks.0.attention", "blocks.1.attention"):
            assert r[block].output.matches("n t dim")
            assert r[f"{block}.qkv"].output.matches("n t (3 dim)")
        assert r["blocks.0.attention.softmax"].output.matches("n heads t t")
        assert r["blocks.0.attention.matmul_1"].output.matches("n heads t dim/heads")
    shapes.snapshot(r)


def test_tagger(shapes: Any, nets: Any) -> None:
    r = shapes(nets.Tagger(), "2,9:int64")
    with shapes.block():
        assert r.input.matches("b t=9")
        assert r["embed"].output.matches("b t 8")
        assert r["lstm"].output.matches("b t (2 hidden)")
        assert [state.matches("(2 2) b hidden") for state in r["lstm"].outputs[1:]]
        assert r["attend"].num_heads == 2
        assert r["out"].output.matches("b t 31")
    # embed 31·8, counted once though two layers hold it; lstm 2·20·(8+5+2) + 2·20·(10+5+2);
    # attend 30·10 + 30 + 10·10 + 10; back 10·8 + 8
    r.expect("lstm: lstm i=8 o=5", "attend: heads=2", "params == 2056")
    shapes.snapshot(r)


@pytest.mark.parametrize("size", [(32, 48), (8, 20)])
def test_the_unet_of_the_questions(shapes: Any, questions: Any, size: tuple[int, int]) -> None:
    r = shapes(questions.UNet(), (2, 3, *size))
    with shapes.block():
        assert r.input.matches("n 3 h w")
        assert r["mid"].output.matches("n 32 h/4 w/4")
        assert r["up2"].output.matches("n 16 h/2 w/2")
        assert r["up1"].output.matches("n 8 h w")
        assert r.output.matches("n 2 h w")
        assert r["pool"].calls[1].output.matches("n 16 h/4 w/4")


def test_segmentation(shapes: Any, questions: Any) -> None:
    r = shapes(questions.Segmentation(), (2, 3, 13, 17))
    assert r.input.matches("n _ h w")
    assert r["softmax"].output.matches("n classes=21 h w")
    assert r.output.matches("n h w")
    assert r.output.dtype == "int64"
