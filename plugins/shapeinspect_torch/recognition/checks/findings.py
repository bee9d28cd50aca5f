"""What a loader says of a weight that is not as its model asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shapeinspect.ir import Contradiction

#: So many weights are named in the sentence of a note; a check shows all.
LISTED = 4
#: So many weights are kept of one kind of contradiction.
MOST = 1000


def mismatch(name: str, expected: Sequence[Any], got: Sequence[Any], origin: str) -> Contradiction:
    """Return that a weight has other lengths than its model asks for.

    Args:
        name: as the file spells it.
        expected: the lengths that are asked for.
        got: those in the file.
        origin: where the expectation comes from.

    Source:
        ``torch/nn/modules/module.py`` (``_load_from_state_dict``) and the weight loaders of vLLM.

    Example:
        >>> mismatch("fc.weight", (4, 3), (5, 3), "config.json: width 4").messages[1]
        ('vLLM', 'assert param_data.shape == loaded_weight.shape')
    """
    text = (
        f"size mismatch for {name}: copying a param with shape torch.Size({list(got)}) from checkpoint, "
        f"the shape in current model is torch.Size({list(expected)})."
    )
    messages = (("torch, transformers", text), ("vLLM", "assert param_data.shape == loaded_weight.shape"))
    return Contradiction(name, lengths(expected), lengths(got), origin, messages)


def missing(name: str, expected: Sequence[Any], origin: str) -> Contradiction:
    """Return that the file lacks a weight of its model.

    Args:
        name: as the file would spell it.
        expected: its lengths.
        origin: where the expectation comes from.

    Source:
        ``torch/nn/modules/module.py`` (``load_state_dict``) and the weight loaders of vLLM.
    """
    messages = (
        ("torch", f'Missing key(s) in state_dict: "{name}".'),
        ("vLLM", f"Following weights were not initialized from checkpoint: {{'{name}'}}"),
    )
    return Contradiction(name, lengths(expected), "missing", origin, messages)


def unexpected(name: str, got: Sequence[Any], origin: str, architecture: str) -> Contradiction:
    """Return that the file holds a weight that its model has not.

    Args:
        name: as the file spells it.
        got: its lengths.
        origin: where the expectation comes from.
        architecture: the model's class.

    Source:
        ``torch/nn/modules/module.py`` (``load_state_dict``) and vLLM's ``model_executor/models/utils.py``.
    """
    messages = (
        ("torch", f'Unexpected key(s) in state_dict: "{name}".'),
        ("vLLM", f"There is no module or parameter named '{name}' in {architecture}"),
    )
    return Contradiction(name, "no such weight", lengths(got), origin, messages)


def once(found: Sequence[Contradiction]) -> tuple[Contradiction, ...]:
    """Return contradictions of one kind, of which only the first repeats what loaders print.

    Args:
        found: the contradictions.
    """
    first = found[:1]
    rest = (Contradiction(item.about, item.expected, item.got, item.origin) for item in found[1:MOST])
    return (*first, *rest)


def lengths(shape: Sequence[Any]) -> str:
    """Write a shape; a length that is not known is a question mark.

    Args:
        shape: the lengths.

    Example:
        >>> lengths((4, None)), lengths(())
        ('(4, ?)', 'one number')
    """
    return (
        f"({', '.join('?' if length is None else str(length) for length in shape)})"
        if shape
        else "one number"
    )
