"""Errors outside of every model: in a constructor, and in collating samples into a batch."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Sequence
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.plugin_api.changes import Change, OnInput, OnLayer, PaddedBatch, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Indivisible, RaggedBatch
from shapeinspect.plugin_api.rerun import Failure, Rerun, Retried
from shapeinspect.plugin_api.user_code.frames import Place, constructor_arguments, is_library
from shapeinspect_torch.tracing.recorder import PACKAGES
from shapeinspect_torch.vocabulary.kinds import describe

#: The setting that must divide others, by the prefix of the class's name.
_DIVIDES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Conv": ("groups", ("in_channels", "out_channels")),
    "GroupNorm": ("num_groups", ("num_channels",)),
    "MultiheadAttention": ("num_heads", ("embed_dim",)),
    "Transformer": ("nhead", ("d_model",)),
}
_SIZES = re.compile(r"got \[(?P<first>[\d, ]*)\] at entry \d+ and \[(?P<other>[\d, ]*)\] at entry")


def building(message: str, where: str | None, frames: Sequence[Place]) -> Rerun | None:
    """Find the layer whose settings are not divisible.

    Args:
        message: torch's message.
        where: the user's source line.
        frames: the frames of the traceback, with their lines.
    """
    import torch

    for frame, _ in frames:
        layer_object = frame.f_locals.get("self")
        if frame.f_code.co_name != "__init__" or not isinstance(layer_object, torch.nn.Module):
            continue
        name = type(layer_object).__name__
        row = next((row for start, row in _DIVIDES.items() if name.startswith(start)), None)
        if row is None or not is_library(frame.f_code.co_filename, PACKAGES):
            continue
        arguments = {
            key: argument for key, argument in constructor_arguments(frame).items() if key != "device"
        }
        setting, wholes = row
        lengths = {key: value for key in wholes if isinstance(value := arguments.get(key), int) and value > 0}
        value = arguments.get(setting)
        if len(lengths) < len(wholes) or not isinstance(value, int) or value <= 0:
            return None
        kind = describe(name, {})[0]
        path = _target(where) or name
        attributes = {
            **{key: argument for key, argument in arguments.items() if isinstance(argument, (int, bool))}
        }
        layer = Layer(path, kind, name, (path,), Frozen(attributes))
        fact = Indivisible(setting, Frozen(lengths))
        model = Model("", "live", "torch", "torch-live", (layer,))
        claim = Claim(what="the constructor")
        failure = Failure(model, layer, (), message, where, fact=fact, claim=claim)
        return Retried(failure, functools.partial(_builds, type(layer_object), arguments), _spell)
    return None


def _builds(kind: Any, arguments: dict[str, Any], changes: Sequence[Change]) -> bool:
    settings = [change.attributes for change in changes if isinstance(change, OnLayer)]
    try:
        kind(
            **{
                **arguments,
                **{key: value for setting in settings for key, value in setting.items()},
                "device": "meta",
            }
        )
    except (ValueError, TypeError, AssertionError, RuntimeError):
        return False
    return bool(settings)


def _target(where: str | None) -> str | None:
    """Return the name that the user's line assigns: ``self.conv = ...``."""
    try:
        statement = ast.parse((where or "").partition("  ")[2]).body[0]
    except (SyntaxError, IndexError):
        return None
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    return (
        target.attr
        if isinstance(target, ast.Attribute)
        else target.id
        if isinstance(target, ast.Name)
        else None
    )


def collating(message: str, where: str | None) -> Rerun | None:
    """Read the shapes of two samples that do not fit one batch; the message has them, also from a worker.

    Args:
        message: torch's message.
        where: the user's source line.
    """
    match = _SIZES.search(message)
    if match is None:
        return None
    first, second = (
        tuple(int(part) for part in match[name].split(",") if part.strip()) for name in ("first", "other")
    )
    layer = Layer("stack", "stack", "torch.stack", ("stack",))
    values = {"sample": Value("sample", first), "sample:1": Value("sample:1", second)}
    model = Model("", "live", "torch", "torch-live", (layer,), (), Frozen(values), tuple(values))
    fact = RaggedBatch(first, second)
    claim = Claim(Level.PART, "torch.stack of two samples of these shapes", "the data set was not read again")
    failure = Failure(model, layer, tuple(values), message, where, fact=fact, claim=claim)
    return Retried(failure, lambda changes: _stacks((first, second), changes), _spell)


def _stacks(shapes: Sequence[tuple[int, ...]], changes: Sequence[Change]) -> bool:
    import torch
    from torch.nn.functional import interpolate
    from torch.nn.utils.rnn import pad_sequence

    samples = [torch.empty(shape, device="meta") for shape in shapes]
    try:
        for change in changes:
            if isinstance(change, OnInput) and change.steps[0][0] == "interpolate":
                samples = [interpolate(sample[None], size=change.steps[0][1])[0] for sample in samples]
            elif isinstance(change, PaddedBatch):
                samples = list(pad_sequence(samples, batch_first=True))
        torch.stack(samples)
    except (RuntimeError, ValueError, NotImplementedError):
        return False
    return True


def _spell(change: Wording, name: str) -> str:
    if isinstance(change, OnInput):
        return f"F.interpolate({name}[None], size={change.steps[0][1]})[0] for each {name}"
    if isinstance(change, PaddedBatch):
        return "collate_fn=lambda samples: pad_sequence(samples, batch_first=True)"
    if isinstance(change, OnLayer):
        settings = ", ".join(f"{key}={value}" for key, value in change.attributes.items())
        return f'{settings} in "{change.path}"'
    return str(change)
