"""``shapeinspect check`` of Keras files: what Keras itself takes passes, what it refuses does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., tuple[int, str, str]]

#: A model, what it is fed, and where it parts: the layer, an axis by its letter, and one of the fixes.
CASES: list[tuple[str, dict[str, tuple[int, ...]], str, str, str]] = [
    ("picture", {"image": (2, 12, 10, 3)}, "", "", ""),
    ("picture", {"image": (1, 12, 10, 3)}, "", "", ""),
    ("picture", {"image": (2, 3, 12, 10)}, "conv", "C = 3", "transpose"),
    ("picture", {"image": (2, 12, 10, 4)}, "conv", "C = 3", "3"),
    ("picture", {"image": (12, 10, 3)}, "image", "", "expand_dims"),
    ("picture", {"image": (2, 2, 12, 10, 3)}, "image", "", ""),
    ("picture", {"image": (2, 16, 14, 3)}, "scores", "i = 100", "feed image of shape (2, 12, 10, 3)"),
    ("open", {"image": (2, 31, 17, 3)}, "", "", ""),
    ("open", {"image": (2, 5, 5, 3)}, "", "", ""),
    ("open", {"image": (2, 4, 9, 3)}, "deep", "", ""),
    ("open", {"image": (2, 2, 9, 3)}, "conv", "", ""),
    ("open", {"image": (2, 31, 17, 1)}, "conv", "C = 3", ""),
    ("two", {"words": (2, 9), "facts": (2, 4)}, "", "", ""),
    ("two", {"words": (2, 9), "facts": (2, 5)}, "plain", "i = 4", ""),
    ("two", {"words": (2, 9), "facts": (3, 4)}, "join", "", ""),
    ("steps", {"series": (2, 17, 5)}, "", "", ""),
    ("steps", {"series": (2, 5, 17)}, "conv", "C = 5", "transpose"),
    ("steps", {"series": (2, 3, 5)}, "conv", "", ""),
    ("steps", {"series": (17, 5)}, "series", "", "expand_dims"),
]


def taken(model: Any, fed: dict[str, tuple[int, ...]]) -> bool:
    """Tell whether Keras itself takes the input."""
    arrays = [np.zeros(shape, "int32" if name == "words" else "float32") for name, shape in fed.items()]
    try:
        model(arrays if len(arrays) > 1 else arrays[0])
    except Exception:  # noqa: BLE001  # Keras and TensorFlow raise what they like
        return False
    return True


@pytest.mark.parametrize(("name", "fed", "layer", "expected", "fix"), CASES)
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_it_says_what_keras_says(
    check: Run,
    files: Path,
    models: dict[str, Any],
    ending: str,
    name: str,
    fed: dict[str, tuple[int, ...]],
    layer: str,
    expected: str,
    fix: str,
) -> None:
    assert taken(models[name], fed) == (not layer), "the case is what Keras does"
    path = str(files / f"{name}.{ending}")
    words = [word for key, shape in fed.items() for word in ("-i", f"{key}={','.join(map(str, shape))}")]
    code, out, err = check(path, *words)
    assert err == ""
    assert code == (1 if layer else 0), out
    if not layer:
        assert re.search(r"^the shapes of all \d+ calls fit$", out, re.MULTILINE), out
        return
    assert out.startswith(f'layer "{layer}" ('), out
    assert re.search(r"^  expected ", out, re.MULTILINE), out
    assert re.search(r"^  got ", out, re.MULTILINE), out
    assert expected in out, out
    if fix:
        fixes = out.partition("\n  fix ")[2]
        assert fix in fixes, out


def test_inputs_go_by_order_too(check: Run, files: Path) -> None:
    assert check(str(files / "two.keras"), "-i", "2,9", "-i", "2,4")[0] == 0
    assert check(str(files / "two.keras"), "-i", "facts=2,4", "-i", "2,9")[0] == 0
    code, _, err = check(str(files / "two.keras"), "-i", "fax=2,4")
    assert code == 2
    assert 'there is no input "fax"' in err
    assert "words, facts" in err
    assert check(str(files / "two.keras"), "-i", "2,9", "-i", "2,4", "-i", "7")[0] == 2


def test_without_an_input_the_declared_one_is_walked(check: Run, files: Path) -> None:
    for name in ("picture", "open", "two", "steps"):
        code, out, _ = check(str(files / f"{name}.keras"))
        assert code == 0, out


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("behind", ["Activation", "Dense"])
def test_two_directions_of_unlike_widths_are_what_a_call_makes(
    check: Run, tmp_path: Path, sequences: bool, behind: str
) -> None:
    """Keras records twice the width of the forward layer (10), and a call makes the sum of both (8)."""
    import keras

    from shapeinspect import inspect

    layers = keras.layers
    forward = layers.LSTM(5, return_sequences=sequences)
    backward = layers.LSTM(3, return_sequences=sequences, go_backwards=True)
    both = layers.Bidirectional(forward, backward_layer=backward)
    last = layers.Activation("tanh") if behind == "Activation" else layers.Dense(6)
    network = keras.Sequential([keras.Input((7, 4), name="series"), both, last])
    path = tmp_path / "both.keras"
    network.save(path)
    fed = {"series": (2, 7, 4)}
    accepted = taken(network, fed)
    assert accepted is (behind == "Activation")
    code, out, _ = check(str(path))
    assert code == (0 if accepted else 1), out
    for source in (path, network):
        report = inspect(source)
        assert report[both.name].output_shape == (*report.inputs[0].shape[: 1 + sequences], 8)
        if accepted:
            made = network(np.zeros(fed["series"], "float32")).shape
            assert report.outputs[0].shape[1:] == made[1:]
