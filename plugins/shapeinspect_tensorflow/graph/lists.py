"""How many entries a list of tensors has, which loops fill.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops: ``TensorListReserve`` makes the entries,
``TensorListSetItem`` replaces one of them.
"""

from __future__ import annotations

from collections.abc import Callable

from shapeinspect_tensorflow.graph.flow import LOOPS, Loop, Ref, Step

_MOST = 50
#: The operators that make a list, which is their first output.
MAKERS = frozenset(
    {
        "EmptyTensorList", "TensorListReserve", "TensorListFromTensor", "TensorListSetItem",
        "TensorListPushBack", "TensorListPopBack", "TensorListResize", "TensorListConcatLists",
    }
)  # fmt: skip


def entries(
    listed: Ref | None, step_of: Callable[[Ref], Step], loop_of: Callable[[str], Loop | None]
) -> Ref | None:
    """Return the value that holds the number of a list's entries.

    Args:
        listed: the list, perhaps behind loops that write into it.
        step_of: returns the step that makes a value.
        loop_of: returns what a loop does, by its path.

    Returns:
        None where it is not known that every loop only replaces entries.
    """
    for _ in range(_MOST):
        if listed is None:
            return None
        maker = step_of(listed)
        if maker.node.op == "TensorListReserve" and len(maker.inputs) == 2:
            return maker.inputs[1]
        if maker.node.op == "TensorListSetItem" and _keeps(maker):
            listed = maker.inputs[0]
        elif maker.node.op in LOOPS and 0 <= listed.index < len(maker.inputs):
            body = loop_of(maker.path)
            if body is None or not _only_replaced(body, listed.index, step_of):
                return None
            listed = maker.inputs[listed.index]
        else:
            return None
    return None


def _keeps(maker: Step) -> bool:
    return bool(maker.inputs) and not maker.node.attributes.get("resize_if_index_out_of_bounds")


def _only_replaced(body: Loop, place: int, step_of: Callable[[Ref], Step]) -> bool:
    """Tell whether a round returns the list that it was given, with other entries."""
    if not place < min(len(body.values), len(body.outputs)):
        return False
    given, made = body.values[place], body.outputs[place]
    for _ in range(_MOST):
        if made is None or made == given:
            return made is not None
        maker = step_of(made)
        if maker.node.op != "TensorListSetItem" or not _keeps(maker):
            return False
        made = maker.inputs[0]
    return False
