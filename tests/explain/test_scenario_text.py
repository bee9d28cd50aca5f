"""Convolution over text in Keras: the embedding is the channel axis, k counts words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import shapeinspect

Run = Callable[..., tuple[int, str, str]]


def test_the_branches_and_the_jump_from_6_to_2(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "text.keras")
    assert code == 0
    rows = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if not line.startswith(" ")}
    assert "T7 → T7 E5" in rows["embedding_1"]
    for k in (4, 3, 2):
        assert f"T7 E5 → T{7 - k + 1} C2" in rows[f"conv_{k}"]
        assert f"T{7 - k + 1} C2 → C2" in rows[f"max_{k}"]
    assert "reads embedding_1" in rows["conv_3"]
    assert "C2 + C2 + C2 → C6 C = a + b + c; reads max_4, max_3, max_2" in rows["join"]
    assert "C6 → C2" in rows["classes"]


def test_the_embedding_is_the_channel_axis_and_not_the_kernel(run: Run, at_models: Path) -> None:
    import keras

    model = keras.models.load_model("text.keras")
    for k in (4, 3, 2):
        layer = shapeinspect.explain("text.keras", f"conv_{k}")[0]
        kernel = layer.weights[0]
        stored = tuple(model.get_layer(f"conv_{k}").kernel.shape)
        assert tuple(axis.length for axis in kernel.axes) == stored == (k, 5, 2)
        assert [axis.name for axis in kernel.axes] == ["kl", "i", "o"]
        assert 'the embedding size of "embedding_1"' in kernel.axes[1].meaning
        formula = (layer.calls[0].outputs[0].axes or ())[1].formula
        assert formula is not None
        assert (formula.written, formula.result) == ("n − k + 1", 7 - k + 1)
        assert model.get_layer(f"conv_{k}").output.shape[1] == 7 - k + 1
    classes = shapeinspect.explain("text.keras", "classes")[0]
    assert [axis.length for axis in classes.weights[0].axes] == [6, 2]
    assert '"join" joins 2 + 2 + 2' in classes.weights[0].axes[0].meaning
