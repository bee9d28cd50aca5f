"""The multiplications of a call and the numbers of a layer's weights, as formulas."""

from __future__ import annotations

from shapeinspect.dims import Dim
from shapeinspect.explanation.notation import holds
from shapeinspect.explanation.values import Formula, WeightFact, Work
from shapeinspect.rules import Attributes, Shapes, macs, work_line


def work(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Work | None:
    """Return the multiplications of one call, or None if they cannot be known.

    The total comes from the rule; its formula is shown only if it evaluates to that total.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> work("linear", {"in_features": 3, "out_features": 5}, ((2, 3),), ((2, 5),)).formula.substituted
        '2·3·5'
    """
    total = macs(kind, attributes, inputs, outputs)
    if total is None:
        return None
    line = work_line(kind, attributes, inputs, outputs)
    if line is None or not holds(line[0], dict(line[1]), total):
        return Work(None, total)
    return Work(Formula(*line, total), total)


def in_rounds(once: Work | None, total: Dim | None) -> Work | None:
    """Return the multiplications of a call in a loop: those of one round, as often as it runs.

    Args:
        once: those of one round.
        total: those of all rounds; None where no more than one is known of.

    Example:
        >>> in_rounds(work("linear", {"in_features": 3, "out_features": 5}, ((2, 3),), ((2, 5),)), 120).total
        120
    """
    if once is None or total is None or once.total in (0, total):
        return once
    rounds = total // once.total
    if rounds * once.total != total:
        return Work(None, total)
    if once.formula is None or "rounds" in dict(once.formula.values):
        return Work(None, total)
    formula = once.formula
    return Work(Formula(f"rounds*({formula.text})", (("rounds", rounds), *formula.values), total), total)


#: A sum of more terms is no explanation.
_MOST_TERMS = 40


def numbers(weights: tuple[WeightFact, ...]) -> Formula | None:
    """Return the total number of values in a layer's weights, or None if one is unknown or they are many.

    Args:
        weights: the weights, axis by axis.

    Example:
        >>> from shapeinspect.explanation.values import AxisFact
        >>> numbers((WeightFact("w", "weight", (AxisFact("o", 2), AxisFact("i", 3)), 6),)).written
        'o·i'
    """
    if not 0 < len(weights) <= _MOST_TERMS or any(weight.count is None for weight in weights):
        return None
    names: dict[str, object] = {}
    clear = True
    for weight in weights:
        for axis in (axis for axis in weight.axes if axis.length != 1):
            name = axis.name or ""
            clear &= name.isidentifier() and names.setdefault(name, axis.length) == axis.length
    total = sum(weight.count or 0 for weight in weights)
    terms = []
    for weight in weights:
        shown = [axis.name or "" if clear else str(axis.length) for axis in weight.axes if axis.length != 1]
        terms.append("*".join(shown) or "1")
    text = " + ".join(terms)
    values = {axis.name or "": axis.length for weight in weights for axis in weight.axes if axis.length != 1}
    formula = Formula(text, tuple(values.items()) if clear else (), total)
    return formula if holds(text, dict(formula.values), total) else None
