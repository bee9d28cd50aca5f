"""The code that loads a file of weights into an MLX model, and sets what else has to be the same."""

from __future__ import annotations

from keyword import iskeyword

from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    Setting,
    check_lines,
    literal,
    module_text,
    open_setting,
)

#: What the groups of a GroupNorm are by default; every other framework has neighbors in a group.
_INTERLEAVED = "interleaved_groups"
#: The settings that MLX's modules read at every call, so that setting the attribute is enough.
_READ_AT_CALLS = frozenset({"eps", "momentum", "stride", "dilation", _INTERLEAVED})


class LoadWeightsScript(LoadingScript):
    """Writes ``load_weights``, and the settings as attributes of the modules.

    Example:
        >>> loading = Loading("a.safetensors", "", False, {"fc.weight": (3, 5)}, (), {}, {})
        >>> "model.load_weights(list(values.items()), strict=False)" in SCRIPT.text(loading)
        True
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.
        """
        body = [
            "parameters = dict(tree_flatten(model.parameters()))",
            *check_lines("parameters", read="mx.load", complete=True),
            "model.load_weights(list(values.items()), strict=False)",
            "mx.eval(model.parameters())",
        ]
        imports = ["import mlx.core as mx", "from mlx.utils import tree_flatten"]
        settings = [_line(setting) for setting in loading.settings]
        return module_text(loading, "an MLX model", imports, body, settings)


def _line(setting: Setting) -> str:
    parts, value = setting.layer.split("."), literal(setting.value)
    if setting.name not in _READ_AT_CALLS or setting.value is None or value is None:
        return open_setting(setting)
    if not all(part.isdecimal() or (part.isidentifier() and not iskeyword(part)) for part in parts):
        return open_setting(setting)
    place = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in parts)
    if setting.name == _INTERLEAVED:
        return f"model{place}.pytorch_compatible = {not setting.value!r}"
    return f"model{place}.{setting.name} = {value}"


SCRIPT = LoadWeightsScript()
