"""The role of a quantized weight as its layer would name it, were it not quantized."""

from __future__ import annotations

import re

from shapeinspect.ir import Weight

_NAMED = dict.fromkeys(("qweight", "q_weight", "W_q", "codes", "Qidxs", "B", "weight._data"), "weight")
_ENDED = re.compile(r"_(?P<wrapped>.+)_qdata|(?P<stem>.+)_(?:blocks|packed)")


def plain_role(role: str, weight: Weight) -> str:
    """Return a weight's role without what its quantizer added.

    Args:
        role: as the file has it.
        weight: the weight; one that is not quantized keeps its role.

    Example:
        >>> from shapeinspect.ir import Quantization
        >>> weight = Weight("q.qweight", "", (64, 48), quantization=Quantization("gptq"))
        >>> [plain_role(name, weight) for name in ("qweight", "weight_packed", "_weight_qdata")]
        ['weight', 'weight', 'weight']
    """
    if weight.quantization is None:
        return role
    match = _ENDED.fullmatch(role)
    if match is not None:
        return match["wrapped"] or match["stem"]
    return _NAMED.get(role, role)
