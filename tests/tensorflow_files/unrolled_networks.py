"""Networks of recurrent layers with ``unroll=True``: each step of theirs is written into the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .recurrent_networks import BATCH, FEATURES, STEPS, Recurrent

__all__ = ["UNROLLED"]

UNROLLED: dict[str, Recurrent] = {}


def _unrolled(layers: int, *, fast: bool = False) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def kept(make: Callable[[], Any]) -> Callable[[], Any]:
        name = f"unrolled, {make.__name__.replace('_', ' ')}"
        UNROLLED[name] = Recurrent(lambda _fixed: make(), layers, fast)
        return make

    return kept


def _input(steps: int = STEPS) -> Any:
    import keras

    return keras.Input((steps, FEATURES))


@_unrolled(3, fast=True)
def above_one_another() -> Any:
    import keras
    from keras import layers as k

    given = {"unroll": True, "return_sequences": True}
    return keras.Sequential([_input(), k.LSTM(7, **given), k.GRU(6, **given), k.SimpleRNN(4, unroll=True)])


@_unrolled(2, fast=True)
def both_directions() -> Any:
    import keras
    from keras import layers as k

    both = k.Bidirectional(k.GRU(7, unroll=True, return_sequences=True))
    return keras.Sequential([_input(), both, k.Dense(3)])


@_unrolled(2)
def both_directions_of_the_last_step() -> Any:
    import keras
    from keras import layers as k

    return keras.Sequential([_input(), k.Bidirectional(k.LSTM(7, unroll=True), merge_mode="sum"), k.Dense(3)])


@_unrolled(4)
def both_directions_above_one_another() -> Any:
    import keras
    from keras import layers as k

    given = {"unroll": True, "return_sequences": True}
    both = [k.Bidirectional(k.LSTM(units, **given)) for units in (7, 6)]
    return keras.Sequential([_input(), *both])


@_unrolled(3)
def cells_in_one_step() -> Any:
    import keras
    from keras import layers as k

    cells = [k.LSTMCell(7), k.GRUCell(6), k.SimpleRNNCell(4)]
    return keras.Sequential([_input(), k.RNN(cells, unroll=True, return_sequences=True)])


@_unrolled(2, fast=True)
def states_for_another_layer() -> Any:
    import keras
    from keras import layers as k

    x = _input()
    y, h, c = k.LSTM(7, unroll=True, return_sequences=True, return_state=True)(x)
    z = k.LSTM(7, unroll=True, return_sequences=True)(k.Dense(3)(x), initial_state=[h, c])
    return keras.Model(x, [y, z])


@_unrolled(1)
def every_state() -> Any:
    import keras
    from keras import layers as k

    x = _input()
    return keras.Model(x, k.LSTM(7, unroll=True, return_state=True)(x))


@_unrolled(1)
def two_steps() -> Any:
    import keras
    from keras import layers as k

    return keras.Sequential([_input(2), k.GRU(7, unroll=True)])


@_unrolled(1)
def masked() -> Any:
    import keras
    from keras import layers as k

    return keras.Sequential([_input(), k.Masking(), k.LSTM(7, unroll=True, return_sequences=True)])


@_unrolled(1)
def words() -> Any:
    import keras
    from keras import layers as k

    first = keras.Input((STEPS,))
    return keras.Sequential([first, k.Embedding(20, 5, mask_zero=True), k.GRU(7, unroll=True)])


@_unrolled(1)
def backwards() -> Any:
    import keras
    from keras import layers as k

    return keras.Sequential([_input(), k.GRU(7, unroll=True, return_sequences=True, go_backwards=True)])


@_unrolled(1)
def stateful() -> Any:
    import keras
    from keras import layers as k

    first = keras.Input((STEPS, FEATURES), batch_size=BATCH)
    return keras.Sequential([first, k.LSTM(7, unroll=True, stateful=True)])


@_unrolled(1, fast=True)
def before() -> Any:
    import keras
    from keras import layers as k

    return keras.Sequential([_input(), k.GRU(7, unroll=True, reset_after=False, use_bias=False)])


@_unrolled(2)
def dropout() -> Any:
    import keras
    from keras import layers as k

    given = {"unroll": True, "dropout": 0.2}
    return keras.Sequential([_input(), k.LSTM(7, return_sequences=True, **given), k.GRU(6, **given)])


@_unrolled(2)
def heads_on_one_input() -> Any:
    import keras
    from keras import layers as k

    x = _input()
    return keras.Model(x, [k.GRU(7, unroll=True)(x), k.GRU(6, unroll=True, return_sequences=True)(x)])


@_unrolled(1)
def single_steps_read() -> Any:
    import keras
    from keras import layers as k

    x = _input()
    y = k.SimpleRNN(7, unroll=True, return_sequences=True)(x)
    return keras.Model(x, [y[:, 3], y[:, -1], k.Dense(3)(y)])


@_unrolled(1)
def maps() -> Any:
    import keras
    from keras import layers as k

    first = keras.Input((4, 8, 10, 2))
    return keras.Sequential([first, k.ConvLSTM2D(3, 3, padding="same", unroll=True, return_sequences=True)])


@_unrolled(1)
def another_function() -> Any:
    import keras
    from keras import layers as k

    given = {"activation": "silu", "recurrent_activation": "hard_sigmoid"}
    return keras.Sequential([_input(), k.LSTM(7, unroll=True, **given)])
