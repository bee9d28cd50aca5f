"""Networks of recurrent layers: every class with its options, masked, in both directions, in stacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recurrent:
    """A network.

    Args:
        make: builds it; whether the length of the time is fixed.
        layers: how many layers its loops are.
        fast: whether it belongs to the fast cut.
    """

    make: Callable[[bool], Any]
    layers: int
    fast: bool = False


STEPS, FEATURES, BATCH = 9, 5, 2
_SPACE = {1: (8,), 2: (8, 10), 3: (4, 6, 7)}
_KINDS = ("LSTM", "GRU", "SimpleRNN")
_OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sequences": {"return_sequences": True},
    "states": {"return_sequences": True, "return_state": True},
    "backwards": {"return_sequences": True, "go_backwards": True},
    "no bias": {"use_bias": False},
    "unrolled": {"unroll": True},
    "unrolled sequences": {"unroll": True, "return_sequences": True},
    "stateful": {"stateful": True},
    "stateful sequences": {"stateful": True, "return_sequences": True},
    "dropout": {"dropout": 0.2, "recurrent_dropout": 0.3},
    "dropout, no bias": {"dropout": 0.2, "use_bias": False},
    "masked": {},
    "masked backwards": {"go_backwards": True},
    **{name: {"activation": name} for name in ("relu", "gelu", "softsign", "silu", "leaky_relu", "selu",
                                               "hard_tanh", "relu6", "linear", "mish", "hard_silu",
                                               "exponential", "softplus")},
    "hard": {"recurrent_activation": "hard_sigmoid"},
}  # fmt: skip
_MAPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sequences": {"return_sequences": True},
    "same": {"padding": "same"},
    "strides": {"strides": 2},
    "dilated": {"dilation_rate": 2},
    "dilated same": {"dilation_rate": 2, "padding": "same"},
    "backwards": {"go_backwards": True},
    "no bias": {"use_bias": False},
    "hard": {"recurrent_activation": "hard_sigmoid"},
    "stateful": {"stateful": True},
    "states": {"return_state": True},
}
_FAST = {
    "SimpleRNN, stateful",
    "LSTM, hard",
    "mixed cells",
    "ConvLSTM2D, dilated",
    "GRU, dropout",
    "LSTM, selu",
    "GRU, stateful",
}

NETWORKS: dict[str, Recurrent] = {}


def _add(name: str, layers: int, make: Callable[[bool], Any]) -> None:
    NETWORKS[name] = Recurrent(make, layers, name in _FAST)


def _one(kind: str, case: str, options: dict[str, Any]) -> Callable[[bool], Any]:
    def make(fixed: bool) -> Any:
        import keras

        given = dict(options)
        if kind == "SimpleRNN" and "recurrent_activation" in given:
            given["activation"] = given.pop("recurrent_activation")
        batch = BATCH if "stateful" in case else None
        x = keras.Input((STEPS if fixed or "unrolled" in case else None, FEATURES), batch_size=batch)
        y = keras.layers.Masking()(x) if "masked" in case else x
        return keras.Model(x, getattr(keras.layers, kind)(7, **given)(y))

    return make


def _maps(space: int, case: str, options: dict[str, Any]) -> Callable[[bool], Any]:
    def make(fixed: bool) -> Any:
        import keras

        batch = BATCH if case == "stateful" else None
        x = keras.Input((STEPS if fixed else None, *_SPACE[space], 2), batch_size=batch)
        kernel = 2 if space == 3 and case == "dilated" else 3
        return keras.Model(x, getattr(keras.layers, f"ConvLSTM{space}D")(3, kernel, **options)(x))

    return make


def _sequential(*layers: Callable[[], Any], shape: tuple[int, ...] = (FEATURES,)) -> Callable[[bool], Any]:
    def make(fixed: bool) -> Any:
        import keras

        first = keras.Input((STEPS if fixed else None, *shape))
        return keras.Sequential([first, *(layer() for layer in layers)])

    return make


def _layer(name: str, *given: Any, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        return getattr(keras.layers, name)(*given, **options)

    return make


def _cells(*cells: tuple[str, int], **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        made = [getattr(keras.layers, f"{kind}Cell")(units) for kind, units in cells]
        return keras.layers.RNN(made if len(made) > 1 else made[0], **options)

    return make


def _both(kind: str, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        inner = getattr(keras.layers, kind)(7, return_sequences="merge_mode" not in options)
        return keras.layers.Bidirectional(inner, **options)

    return make


for _kind in _KINDS:
    for _case, _given in _OPTIONS.items():
        _add(f"{_kind}, {_case}", 1, _one(_kind, _case, _given))
    _dense = _layer("Dense", 3)
    _add(f"{_kind}, both directions", 2, _sequential(_both(_kind), _dense))
    _add(f"{_kind}, both directions, sum", 2, _sequential(_both(_kind, merge_mode="sum"), _dense))
    _above = _layer(_kind, 7, return_sequences=True), _layer(_kind, 4)
    _add(f"{_kind}, above one another", 2, _sequential(*_above))
    _add(f"{_kind}, a cell", 1, _sequential(_cells((_kind, 7), return_sequences=True)))
    _add(f"{_kind}, two cells", 2, _sequential(_cells((_kind, 7), (_kind, 6), return_sequences=True)))
    _words = _layer("Embedding", 20, FEATURES, mask_zero=True), _layer(_kind, 7), _layer("Dense", 2)
    _add(f"{_kind}, words", 1, _sequential(*_words, shape=()))
_add("GRU, before", 1, _sequential(_layer("GRU", 7, reset_after=False)))
_add("GRU, before, dropout", 1, _sequential(_layer("GRU", 7, reset_after=False, dropout=0.2)))
_add("mixed cells", 3, _sequential(_cells(("LSTM", 7), ("GRU", 6), ("SimpleRNN", 4))))
for _space in (1, 2, 3):
    for _case, _given in _MAPS.items():
        if _space < 3 or _case in ("plain", "dilated", "sequences"):
            _add(f"ConvLSTM{_space}D, {_case}", 1, _maps(_space, _case, _given))
