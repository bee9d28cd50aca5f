"""The code that loads a file of weights into a PyTorch model, and sets what else has to be the same."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    Setting,
    literal,
    module_text,
    open_setting,
)

#: The settings that torch's modules read at every call, so that setting the attribute is enough.
READ_AT_CALLS = frozenset(
    {
        *(
            "eps",
            "momentum",
            "negative_slope",
            "alpha",
            "stride",
            "dilation",
            "ceil_mode",
            "count_include_pad",
        ),
        *("min_val", "max_val", "threshold", "beta", "upscale_factor", "output_size"),
    }
)
_CONV, _POOLS = frozenset({"conv"}), frozenset({"max_pool", "avg_pool"})


class StateDictScript(LoadingScript):
    r"""Writes ``load_state_dict``, and the settings as attributes of the modules.

    Example:
        >>> loading = Loading("a.safetensors", "", False, {"fc.weight": (3, 5)}, (), {}, {})
        >>> "model.load_state_dict(load_file(FILE), strict=False)" in SCRIPT.text(loading)
        True
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.
        """
        body = [
            "missing, unexpected = model.load_state_dict(load_file(FILE), strict=False)",
            'counters = {key for key in missing if key.endswith("num_batches_tracked")}',
            "if unexpected or set(missing) - counters - set(STAY):",
            '    raise KeyError(f"missing: {missing}; unexpected: {unexpected}")',
        ]
        imports = ["from safetensors.torch import load_file"]
        settings = [line for setting in loading.settings for line in _lines(setting)]
        if any("functional." in line for line in settings):
            imports.append("from torch.nn import functional")
        return module_text(loading, "a PyTorch model", imports, body, settings)


def _lines(setting: Setting) -> Iterator[str]:
    module = f"model.get_submodule({setting.layer!r})"
    value = literal(setting.value)
    if "." in setting.type:  # a function, such as F.avg_pool2d
        yield open_setting(setting, f"where {setting.type} is called")
    elif setting.name in READ_AT_CALLS and setting.value is not None and value is not None:
        yield f"{module}.{setting.name} = {value}"
    elif setting.name == "padding" and setting.kind in _CONV | _POOLS and pairs(setting.value):
        yield from _padding(module, setting)
    else:
        yield open_setting(setting)


def pairs(value: object) -> bool:
    """Tell whether a padding is given by the two ends of each axis.

    Args:
        value: the value of a setting.
    """
    return isinstance(value, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(end, int) for end in pair)
        for pair in value
    )


def _padding(module: str, setting: Setting) -> Iterator[str]:
    """Pad before the call where the two ends differ: torch's own padding is the same at both.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html : the last axis first.
    """
    given: tuple[tuple[int, int], ...] = setting.value
    if all(before == after for before, after in given):
        yield f"{module}.padding = {tuple(before for before, _ in given)!r}"
        return
    ends = tuple(end for pair in reversed(given) for end in pair)
    value = ', value=float("-inf")' if setting.kind == "max_pool" else ""
    yield f"{module}.padding = {(0,) * len(given)!r}"
    yield f"{module}.register_forward_pre_hook("
    yield f"    lambda module, inputs: (functional.pad(inputs[0], {ends!r}{value}), *inputs[1:])"
    yield ")"


SCRIPT = StateDictScript()
