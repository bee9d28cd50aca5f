"""The arguments of a call are read by the names in the layer's signature: a mask is no initial state."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as K

import shapeinspect
from shapeinspect.api.debugging import fits
from shapeinspect.dims import symbol
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.mismatch import fitting
from shapeinspect.mismatch.graph import recorded_doubts, rerun
from shapeinspect_keras.calls.signatures import ASIDE, SIGNATURES

N = symbol("N")

RECURRENT: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: K.LSTM(6, return_sequences=True, return_state=True),
    "GRU": lambda: K.GRU(6),
    "SimpleRNN": lambda: K.SimpleRNN(6),
    "Bidirectional": lambda: K.Bidirectional(K.LSTM(6, return_state=True), merge_mode=None),
    "RNN": lambda: K.RNN(K.GRUCell(6), go_backwards=True),
    "TimeDistributed": lambda: K.TimeDistributed(K.LayerNormalization()),
}
MASKS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "Embedding": lambda: (
        ids := keras.Input((11,), dtype="int32"),
        K.Embedding(13, 5, mask_zero=True)(ids),
    ),
    "Masking": lambda: (x := keras.Input((11, 5)), K.Masking()(x)),
}


def masked(name: str, mask: str) -> tuple[Any, list[tuple[Any, ...]]]:
    """Build a masked model, and return the shapes that Keras gives its outputs."""
    inputs, x = MASKS[mask]()
    outputs = keras.tree.flatten(RECURRENT[name]()(x))
    return keras.Model(inputs, outputs), [(N, *output.shape[1:]) for output in outputs]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", RECURRENT)
def test_a_masked_layer_reads_its_sequence_alone(name: str, mask: str, tmp_path: Path) -> None:
    model, shapes = masked(name, mask)
    path = tmp_path / "model.keras"
    model.save(path)
    for source in (model, path):
        report = shapeinspect.inspect(source)
        row = report[model.layers[-1].name]
        assert [len(call.inputs) for call in row.calls] == [1]
        assert [report.model.values[output].shape for output in row.calls[0].outputs] == shapes
        assert not report.model.notes
        assert fits(source).diagnosis is None


def test_initial_states_beside_a_mask() -> None:
    ids, h, c = keras.Input((11,), dtype="int32"), keras.Input((6,), name="h"), keras.Input((6,), name="c")
    x = K.Embedding(13, 5, mask_zero=True)(ids)
    model = keras.Model([ids, h, c], K.LSTM(6, name="lstm")(x, initial_state=[h, c]))
    report = shapeinspect.inspect(model)
    assert report["lstm"].calls[0].inputs[1:] == ("h", "c")
    assert fits(model).diagnosis is None


def test_the_masks_and_the_scores_of_an_attention(tmp_path: Path) -> None:
    """Keras records the scores of a cross attention as if it attended to itself; a run says otherwise."""
    ids, other = keras.Input((11,), dtype="int32"), keras.Input((7, 9))
    x = K.Embedding(13, 5, mask_zero=True)(ids)
    out, scores = K.MultiHeadAttention(2, 3, name="mha")(
        query=x, value=other, return_attention_scores=True, use_causal_mask=True
    )
    model = keras.Model([ids, other], [out, scores])
    model.save(tmp_path / "model.keras")
    call = shapeinspect.inspect(model)["mha"].calls[0]
    assert len(call.inputs) == 3
    assert call.attributes["is_causal"]
    found = fits(model)
    assert found.diagnosis is None
    assert [found.model.values[name].shape for name in call.outputs] == [(N, 11, 5), (N, *scores.shape[1:])]
    assert "mha: our rule is in doubt" in fitting(found.model, found.unchecked)
    saved = fits(tmp_path / "model.keras")
    assert saved.diagnosis is None
    run = model([np.ones((3, 11), "int32"), np.ones((3, 7, 9), "float32")])
    got = [saved.model.values[name].shape for name in saved.model.outputs]
    assert got == [(N, *value.shape[1:]) for value in run]


def _classes() -> dict[str, Any]:
    return {
        value.__name__: value
        for value in vars(K).values()
        if inspect.isclass(value) and issubclass(value, K.Layer)
    }


def test_signatures_are_those_of_keras() -> None:
    for name, layer in _classes().items():
        names = tuple(inspect.signature(layer.call).parameters)[1:]
        if name in SIGNATURES:
            order = SIGNATURES[name].order
            order = ("inputs", *order[3:]) if "Attention" in name and names[0] == "inputs" else order
            # ``training`` and ``mask`` may stand in another order where a layer's row has both.
            assert names[: len(order)] == order[: len(names)] or set(names) >= set(order), name
            assert names[0] == order[0], name
        else:
            assert set(names[1:]) <= ASIDE | {"args", "kwargs"}, name


def test_flatten_moves_channels_last(tmp_path: Path) -> None:
    """The weights of the next layer are in the order H W C: moved to C H W, they give the same numbers."""
    from safetensors.numpy import load_file

    model = keras.Sequential([
        keras.Input((4, 5, 6)), K.Flatten(data_format="channels_first"), K.Dense(3, name="dense")
    ])  # fmt: skip
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype("float32")
    wanted = np.asarray(model(x))
    model.save(tmp_path / "model.keras")
    for index, source in enumerate((model, tmp_path / "model.keras")):
        path = tmp_path / f"moved{index}.safetensors"
        shapeinspect.normalize(source, path, to="torch")
        weights = load_file(path)
        got = x.reshape(2, -1) @ weights["dense.weight"].T + weights["dense.bias"]
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_the_record_of_keras_comes_before_a_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A rule that is wrong blames nobody: what Keras computed stands, and the rule is named."""
    rule = rerun.output_shapes

    def wrong(kind: str, attributes: Any, inputs: Any) -> Any:
        if kind == "softmax":
            raise ShapeMismatchError("8 axes", "3")
        return ((N, 2),) if kind == "conv" else rule(kind, attributes, inputs)

    x = keras.Input((9, 8, 4))
    y = K.Dense(5, name="dense")(K.Softmax(name="shares")(K.Conv2D(6, 3, name="conv")(x)))
    model = keras.Model(x, y)
    model.save(tmp_path / "model.keras")
    for module in (rerun, recorded_doubts):
        monkeypatch.setattr(module, "output_shapes", wrong)
    for source in (model, tmp_path / "model.keras"):
        for given, batch in ((None, N), ("3,9,8,4", 3)):
            found = fits(source, given)
            assert found.diagnosis is None
            assert found.model.values["dense"].shape == (batch, 7, 6, 5)
            text = fitting(found.model, found.unchecked)
            assert "conv: our rule is in doubt: conv gives (N, 2)" in text
            assert "shares: our rule is in doubt" in text
        # Nothing is recorded for another size: what follows is unknown, and nobody is blamed.
        found = fits(source, "3,10,8,4")
        assert found.diagnosis is None
        assert "conv" in found.unchecked
