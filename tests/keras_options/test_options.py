"""Every public Keras layer with options drawn from its signature, held against Keras itself.

Each is in a functional, a sequential or a subclassed model, live, in a ``.keras`` and in an ``.h5`` file,
with and without masks: the outputs of the layer, the parameters, trainable and not, no contradiction and
``check``. Before masks, merge modes, lookups and cells of several sizes were read, 43 of 565 drawn cases were
wrong.
"""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import shapeinspect
from shapeinspect.api.debugging import fits

DRAWS, TRUTH = (
    SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(name))))
    for name in ("draws.py", "truth.py")
)

#: Public classes that have no row of their own, and why.
WITHOUT = {
    "Layer": "the base of all layers",
    "Wrapper": "the base of wrappers",
    "InputLayer": "it is in every model",
    "Pipeline": "it chains augmentations outside of a model",
    "StackedRNNCells": "it is drawn inside an RNN",
    "MaxNumBoundingBoxes": "it works on dictionaries of bounding boxes",
    "FlaxLayer": "it needs jax",
    "JaxLayer": "it needs jax",
    "TFSMLayer": "it needs a SavedModel",
    "TorchModuleWrapper": "it needs the torch backend",
}
#: Called on a symbol it returns the symbol, which Keras takes for a circle.
ALONE = frozenset({"Equalization"})
#: Keras cannot write their settings into an .h5 file, for they hold a module.
NOT_IN_HDF5 = frozenset(
    {
        *("RandomBrightness", "RandomColorDegeneration", "RandomPosterization", "RandomSaturation"),
        *("RandomSharpness", "Solarization"),
    }
)
DRAWN = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def test_every_public_layer_is_drawn() -> None:
    classes = {
        value.__name__
        for value in vars(keras.layers).values()
        if inspect.isclass(value) and issubclass(value, keras.layers.Layer)
    }
    drawn = {DRAWS.layer_class(name).__name__ for name in DRAWS.SPECS}
    assert classes - drawn == WITHOUT.keys()


@settings(max_examples=2, phases=[Phase.generate], **DRAWN)
@given(st.data())
def test_a_draw_of_every_layer(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """All layers in one model: it is read three times, not four hundred."""
    cases = {name: data.draw(DRAWS.cases(name, forms=("functional",))) for name in DRAWS.SPECS}
    if not any(case.options for case in cases.values()):
        return  # Hypothesis begins with the first of everything; the zoo of files has every layer as it is
    made: dict[str, tuple[Any, Any]] = {}
    for name, case in cases.items():
        piece = DRAWS.attempt(case)
        if piece is not None and name not in ALONE | NOT_IN_HDF5:
            made[name] = (case, piece)
    assert len(made) > 0.8 * len(DRAWS.SPECS)
    inputs = [x for _, piece in made.values() for x in piece.inputs]
    model = keras.Model(inputs, [y for _, piece in made.values() for y in piece.ends])
    folder = tmp_path_factory.mktemp("drawn")
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    wrong = []
    for source in (model, folder / "model.keras", folder / "model.h5"):
        report = shapeinspect.inspect(source)
        wrong += [f"{source}: {text}" for text in TRUTH.counts(model, report, graph=True)]
        if fits(source).diagnosis is not None:
            wrong.append(f"{source}: {fits(source).diagnosis}")
        for name, (case, piece) in made.items():
            outputs = tuple(tuple(item.shape) for item in piece.outputs)
            alone = DRAWS.Made(keras.Model(piece.inputs, piece.ends), piece.layer, outputs, piece.inputs)
            wrong += [f"{source}: {name} {case}: {text}" for text in TRUTH.outputs(alone, report)]
            wrong += [
                f"{source}: {name} {case}: {text}" for text in TRUTH.notes(alone, report, piece.layer.name)
            ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DRAWS.SPECS if name not in ALONE])
def test_draws_of_one_layer(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every form and way, each case by itself."""
    run = []

    @settings(max_examples=16, phases=[Phase.generate], **DRAWN)
    @given(DRAWS.cases(name))
    def draw(case: Any) -> None:
        keras.backend.clear_session()
        made = DRAWS.make(case)
        if made is not None and not (case.way == ".h5" and name in NOT_IN_HDF5):
            run.append(case)
            assert not list(TRUTH.problems(case, made, tmp_path_factory.mktemp("drawn"))), case

    draw()
    assert run
