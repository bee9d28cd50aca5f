"""The work of Keras's attention layers without projections: torch's counter, and the same in every form.

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
