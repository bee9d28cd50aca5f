"""The code that loads a file of weights into a Keras model, and sets what else has to be the same."""

from __future__ import annotations

from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    Setting,
    literal,
    module_text,
    open_setting,
)

#: What Keras calls the settings that its layers read at every call.
READ_AT_CALLS = {
    "eps": "epsilon",
    "momentum": "momentum",
    "negative_slope": "negative_slope",
    "alpha": "alpha",
}

_INSIDE = (
    "",
    "",
    "def inside(layer, *names):",
    '    """Return the layer of a name in a layer, of whatever class that is."""',
    "    for name in names:",
    "        held = layer._flatten_layers(include_self=False, recursive=False)",
    "        layer = next(inner for inner in held if inner.name == name)",
    "    return layer",
)


class VariablesScript(LoadingScript):
    """Assigns each variable by its path; in a model that was made anew, by its place among the weights.

    Example:
        >>> loading = Loading("a.safetensors", "", False, {"fc/kernel": (3, 5)}, ("fc/kernel",), {}, {})
        >>> "variable.assign(value)" in SCRIPT.text(loading)
        True
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.

        Raises:
            UsageError: if the model is a file that only numbers its weights, and not one HDF5 file.
        """
        if any(name.rpartition("/")[2].isdecimal() for name in loading.shapes):
            return _into_weights(loading)
        body = [
            "values = load_file(FILE)",
            "variables = {variable.path: variable for variable in model.weights}",
            "if not set(values) <= set(variables):  # made anew or read from a file, it has other paths",
            "    if len(model.weights) != len(ORDER):",
            '        raise ValueError(f"the model has {len(model.weights)} weights, not {len(ORDER)}")',
            "    variables = dict(zip(ORDER, model.weights))",
            "for name, value in values.items():",
            "    variable = variables[name]",
            '    if variable.name != name.split("/")[-1] or tuple(variable.shape) != value.shape:',
            '        raise ValueError(f"{name}: {value.shape}; {variable.path}: {variable.shape}")',
            "    variable.assign(value)",
        ]
        order = ["#: All weights of the model, in the order of model.weights.", "ORDER = ["]
        order += [f"    {name!r}," for name in loading.order]
        settings = [_line(setting) for setting in loading.settings]
        helper = _INSIDE if any("inside(" in line for line in settings) else ()
        imports = ["from safetensors.numpy import load_file"]
        main = None
        if loading.is_file:
            imports.insert(0, "import keras")
            main = [f"model = load(keras.models.load_model({loading.model!r}))", 'model.save("ported.keras")']
        return module_text(loading, "a Keras model", imports, body, settings, main, (*order, "]", *helper))


def _into_weights(loading: Loading) -> str:
    """Write into a copy of the weights file, which the model's own ``load_weights`` reads."""
    if not loading.model.endswith(".h5"):
        raise UsageError(
            "there is no loading script for a file that only numbers its weights",
            where=loading.model,
            hint="name the model itself with --like, live or as a .keras file, or its .weights.h5 file",
        )
    body = [
        "shutil.copyfile(TEMPLATE, OUT)",
        'with h5py.File(OUT, "r+") as file:',
        "    for name, value in load_file(FILE).items():",
        "        if file[name].shape != value.shape:",
        '            raise ValueError(f"{name}: {value.shape}; {file[name].shape}")',
        "        file[name][...] = value",
        "if model is not None:",
        "    model.load_weights(OUT)",
    ]
    constants = [
        "#: The file whose names and shapes these weights have, and a copy with their numbers.",
        f"TEMPLATE = {loading.model!r}",
        'OUT = "ported.weights.h5"',
    ]
    imports = ["import shutil", "", "import h5py", "from safetensors.numpy import load_file"]
    settings = [open_setting(setting) for setting in loading.settings]
    main = ["load(None)  # writes OUT alone; with a model, load_weights puts it in"]
    return module_text(loading, "a Keras model by its weights file", imports, body, settings, main, constants)


def _line(setting: Setting) -> str:
    name = READ_AT_CALLS.get(setting.name)
    value = literal(setting.value)
    if name is None or setting.value is None or value is None:
        return open_setting(setting)
    first, *inner = setting.layer.split("/")
    layer = f"model.get_layer({first!r})"
    if inner:  # what holds it may be a layer of the user's own, which has no get_layer
        layer = f"inside({layer}, {', '.join(map(repr, inner))})"
    return f"{layer}.{name} = {value}"


SCRIPT = VariablesScript()
