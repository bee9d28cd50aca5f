"""Networks written in one framework and ported to another: the port keeps the original's snapshot."""

from __future__ import annotations

from typing import Any

import pytest

INPUTS = {"cnn": (2, 3, 8, 9), "tagger": "2,9:int64", "block": (2, 5, 12)}


@pytest.mark.parametrize("name", INPUTS)
def test_torch(shapes: Any, pairs: Any, name: str) -> None:
    shapes.snapshot(pairs.NETWORKS[name][0](), INPUTS[name], name=name)


@pytest.mark.parametrize("name", INPUTS)
def test_keras(shapes: Any, pairs: Any, name: str) -> None:
    shapes.snapshot(pairs.NETWORKS[name][1](), name=name)


def test_unet_in_torch(shapes: Any, questions: Any) -> None:
    shapes.snapshot(questions.UNet(), (2, 3, 24, 40), name="unet")


def test_unet_in_keras(shapes: Any, ports: Any) -> None:
    shapes.snapshot(ports.unet(24, 40), name="unet")


def test_resnet_in_torch(shapes: Any, nets: Any) -> None:
    shapes.snapshot(nets.ResNet(), (2, 3, 37, 45), name="resnet")


def test_resnet_in_keras(shapes: Any, ports: Any) -> None:
    shapes.snapshot(ports.resnet(37, 45), name="resnet")


def test_depthwise_in_torch(shapes: Any, ports: Any) -> None:
    shapes.snapshot(ports.Mobile(), (2, 9, 17, 21), name="mobile")


def test_depthwise_in_keras(shapes: Any, ports: Any) -> None:
    shapes.snapshot(ports.mobile(17, 21), name="mobile")


def test_text_in_keras(shapes: Any, text: Any) -> None:
    shapes.snapshot(text, name="text")


def test_text_in_torch(shapes: Any, ports: Any) -> None:
    shapes.snapshot(ports.Text(), "2,7:int64", name="text")
