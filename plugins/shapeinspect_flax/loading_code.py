"""The code that loads a file of weights into Flax: into variables as linen keeps them, or an nnx module."""

from __future__ import annotations

from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    Setting,
    check_lines,
    literal,
    module_text,
    open_setting,
)

#: What nnx calls the settings that its layers read at every call.
_READ_AT_CALLS = {
    "eps": "epsilon",
    "momentum": "momentum",
    "stride": "strides",
    "dilation": "kernel_dilation",
    "padding": "padding",
}


#: What a checkpoint of an nnx module's state has behind the path of each variable.
_LEAF = "/value"

#: Finds the module at a path.
_PART_OF = [
    "",
    "",
    "def part_of(model, path):",
    '    """Return the part of a model at a path, such as blocks/0/conv."""',
    '    for name in path.split("/"):',
    "        model = model[int(name)] if name.isdecimal() else getattr(model, name)",
    "    return model",
]


class ModuleScript(LoadingScript):
    """Updates the state of an nnx module, and sets the settings as its attributes.

    Args:
        leaf: what the names in the file have behind the path of each variable.

    Example:
        >>> loading = Loading("a.safetensors", "", False, {"fc/kernel": (3, 5)}, (), {}, {})
        >>> "nnx.update(model, " in NNX.text(loading)
        True
    """

    def __init__(self, leaf: str = "") -> None:
        self._leaf = f" + {leaf!r}" if leaf else ""

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.
        """
        body = [
            "state = nnx.state(model)",
            "paths = nnx.to_flat_state(state)",
            f'flat = {{"/".join(map(str, path)){self._leaf}: leaf for path, leaf in paths}}',
            *check_lines("flat"),
            "    flat[name].set_value(jnp.asarray(value, flat[name].dtype))",
            "nnx.update(model, state)",
        ]
        imports = [
            "import jax.numpy as jnp",
            "from flax import nnx",
            "from safetensors.numpy import load_file",
        ]
        settings = [_line(setting) for setting in loading.settings]
        return module_text(loading, "an nnx module", imports, body, settings, constants=_PART_OF)


class VariablesScript(LoadingScript):
    """Puts the arrays into a nested dictionary, such as ``Module.init`` and ``msgpack_restore`` return.

    Example:
        >>> loading = Loading("a.safetensors", "b.msgpack", True, {"params/fc/kernel": (3, 5)}, (), {}, {})
        >>> "msgpack_serialize" in LINEN.text(loading)
        True
        >>> loading = Loading("a.safetensors", "b", True, {"fc/kernel/value": (3, 5)}, (), {}, {})
        >>> "nnx.update(model, " in LINEN.text(loading)
        True
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.
        """
        if loading.shapes and all(name.endswith(_LEAF) for name in loading.shapes):
            return ModuleScript(_LEAF).text(loading)  # a checkpoint of an nnx module's state
        body = [
            "# model: the variables, a nested dictionary of arrays",
            'flat = traverse_util.flatten_dict(model, sep="/")',
            *check_lines("flat"),
            "    flat[name] = jnp.asarray(value, flat[name].dtype)",
            'model = traverse_util.unflatten_dict(flat, sep="/")',
        ]
        imports = ["import jax.numpy as jnp", "from flax import serialization, traverse_util"]
        imports += ["from safetensors.numpy import load_file"]
        main = []
        if loading.model.endswith(".msgpack"):
            main = [
                f'with open({loading.model!r}, "rb") as file:',
                "    variables = serialization.msgpack_restore(file.read())",
                'with open("ported.msgpack", "wb") as file:',
                "    file.write(serialization.msgpack_serialize(load(variables)))",
            ]
        else:
            imports[1] = "from flax import traverse_util"
        settings = [open_setting(setting) for setting in loading.settings]
        return module_text(loading, "the variables of a Flax model", imports, body, settings, main)


def _line(setting: Setting) -> str:
    name, value = _READ_AT_CALLS.get(setting.name), literal(setting.value)
    if name is None or value is None or setting.value is None or isinstance(setting.value, str):
        return open_setting(setting)
    return f"part_of(model, {setting.layer!r}).{name} = {value}"


LINEN, NNX = VariablesScript(), ModuleScript()
