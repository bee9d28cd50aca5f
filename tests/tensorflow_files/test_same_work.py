"""The work of Keras's layers in every form: of attention without projections as torch's counter has it.

Scores that are sums (``additive``, ``concat``) are no products: they used to count as if they were, in
``.keras`` and ``.h5`` files and live models, twice the work of the same network as a SavedModel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect

QUERY, VALUE = (1, 9, 5), (1, 8, 5)


def counted(*, summed: bool) -> int:
    """Return what torch multiplies for the same scores."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    query, value = torch.ones(QUERY), torch.ones(VALUE)
    with FlopCounterMode(display=False) as counter:
        sums = torch.tanh(query[:, :, None] + value[:, None])
        scores = sums.sum(-1) if summed else query @ value.transpose(1, 2)
        _ = scores.softmax(-1) @ value
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("kind", ["additive", "concat", "dot"])
def test_every_form_counts_the_work_that_torch_does(kind: str, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    ends = [keras.Input(QUERY[1:]), keras.Input(VALUE[1:])]
    layer: Any = keras.layers.AdditiveAttention()
    if kind != "additive":
        layer = keras.layers.Attention(score_mode=kind, use_scale=True)
    model = keras.Model(ends, layer(ends))
    model.save(str(tmp_path / "net.keras"))
    model.export(str(tmp_path / "net"), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "net"))
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    forms = [model, *(str(tmp_path / name) for name in ("net.keras", "net", "net.tflite"))]
    assert [inspect(form, [QUERY, VALUE]).totals.macs for form in forms] == [
        counted(summed=kind != "dot")
    ] * 4


@pytest.mark.parametrize("sequences", [True, False])
def test_two_directions_that_are_not_alike_do_the_work_of_both(sequences: bool, tmp_path: Path) -> None:
    import keras
    from keras import layers as k

    both = k.Bidirectional(
        k.GRU(5, return_sequences=sequences),
        backward_layer=k.LSTM(7, return_sequences=sequences, go_backwards=True),
    )
    model = keras.Sequential([keras.Input((8, 4)), both])
    model.save(str(tmp_path / "net.keras"))
    model.export(str(tmp_path / "net"), verbose=False)
    made = tuple(int(length) for length in keras.ops.shape(model(keras.ops.ones((1, 8, 4)))))
    for form in (str(tmp_path / "net.keras"), str(tmp_path / "net")):
        report = inspect(form, [(1, 8, 4)])
        assert [report.model.values[name].shape for name in report.model.outputs] == [made]
        assert report.totals.macs == 8 * (3 * 5 * (4 + 5) + 4 * 7 * (4 + 7))
        assert report.totals.params == model.count_params()
