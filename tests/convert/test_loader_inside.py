"""A setting of a layer inside of a user's own Keras layer, set by the loading script."""

from __future__ import annotations

import keras

from shapeinspect.plugin_api.loading_script import Loading, Setting
from shapeinspect_keras.vocabulary.loading_code import SCRIPT


class Block(keras.layers.Layer):
    def __init__(self) -> None:
        super().__init__(name="block")
        self.part = keras.Sequential([keras.layers.LayerNormalization(name="norm")], name="part")

    def call(self, x: object) -> object:
        return self.part(x)


def test_the_epsilon_of_a_layer_inside_is_set() -> None:
    model = keras.Sequential([keras.Input((5,)), Block()])
    setting = Setting("block/part/norm", "layer_norm", "eps", 0.25, "eps is 0.25 in the source")
    text = SCRIPT.text(Loading("a.safetensors", "", False, {}, (), {}, {}, (setting,)))
    line = next(line for line in text.splitlines() if "epsilon" in line)
    names: dict[str, object] = {}
    exec(text.partition("\n\ndef load")[0], names)  # the script's own helper, as it stands there
    exec(line.strip(), names, {"model": model})
    assert model.layers[0].part.layers[0].epsilon == 0.25
