"""``x[key]`` as steps: a slice, an index, a new axis, or several of these in sequence."""

from __future__ import annotations

from typing import Any, TypeAlias

Step: TypeAlias = "tuple[str, dict[str, Any]]"

#: The bounds that mean "to the end" and "through the first element" in a slice.
_END = 2**63 - 1


def item_steps(key: Any, rank: int) -> tuple[Step, ...] | None:
    """Decompose ``x[key]`` into operations of the common vocabulary.

    Args:
        key: whole numbers, slices, None and an ellipsis, one or a tuple of them.
        rank: the rank of ``x``.

    Returns:
        The kinds and attributes, in order: first one slice, then an index for each number (the last axis
        first), then the new axes. None for a key that holds anything else, such as an array.

    Source: NumPy, "Indexing on ndarrays": basic indexing.

    Example:
        >>> item_steps((slice(None), 0), 3)
        (('index', {'axis': 1, 'index': 0}),)
        >>> item_steps((..., slice(1, None, 2)), 3)
        (('slice', {'axes': (2,), 'starts': (1,), 'ends': (9223372036854775807,), 'steps': (2,)}),)
        >>> item_steps((slice(None), None, 4), 3)
        (('index', {'axis': 1, 'index': 4}), ('unsqueeze', {'axes': (1,)}))
    """
    spelled = _written_out(list(key) if isinstance(key, tuple) else [key], rank)
    if spelled is None:
        return None
    axis = output = 0
    cuts: list[tuple[int, int, int, int]] = []
    numbers: list[tuple[int, int]] = []
    added: list[int] = []
    for entry in spelled:
        if entry is None:
            added.append(output)
            output += 1
        elif type(entry) is int:
            numbers.append((axis, entry))
            axis += 1
        else:
            limits = _limits(entry)
            if limits is None:
                return None
            if limits != (0, _END, 1):
                cuts.append((axis, *limits))
            axis, output = axis + 1, output + 1
    steps: list[Step] = []
    if cuts or not (numbers or added):
        axes, starts, ends, strides = (tuple(cut[index] for cut in cuts) for index in range(4))
        steps.append(("slice", {"axes": axes, "starts": starts, "ends": ends, "steps": strides}))
    steps += [("index", {"axis": index, "index": number}) for index, number in reversed(numbers)]
    return (*steps, ("unsqueeze", {"axes": tuple(added)})) if added else tuple(steps)


def _written_out(spelled: list[Any], rank: int) -> list[Any] | None:
    """Replace an ellipsis by full slices; None for more entries than axes."""
    dots = [index for index, entry in enumerate(spelled) if entry is Ellipsis]
    missing = rank - sum(entry is not None and entry is not Ellipsis for entry in spelled)
    if missing < 0 or len(dots) > 1:
        return None
    for position in dots:
        spelled[position : position + 1] = [slice(None)] * missing
    return spelled


def _limits(entry: Any) -> tuple[int, int, int] | None:
    """Return the start, end and step of a slice of plain integers, or None."""
    if not isinstance(entry, slice):
        return None
    step = 1 if entry.step is None else entry.step
    if type(step) is not int or step == 0:
        return None
    start = (0 if step > 0 else _END) if entry.start is None else entry.start
    stop = (_END if step > 0 else -_END) if entry.stop is None else entry.stop
    return (start, stop, step) if type(start) is int and type(stop) is int else None
