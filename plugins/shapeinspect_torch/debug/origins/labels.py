"""Says what the numbers of labels and lengths tell: other classes than there are, or more steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shapeinspect.plugin_api.origins.words import Words
from shapeinspect.rules.rule import show
from shapeinspect_torch.debug.origins.following import Found, Operand

#: At most so many labels are written.
_WRITTEN = 6
#: What `cross_entropy` and `nll_loss` leave out unless they are told otherwise.
_IGNORED = -100


def told(found: Found, words: Words) -> Iterator[str]:
    """Yield what the numbers of a failed loss say that its shapes do not.

    Args:
        found: the call that failed.
        words: writes where lengths come from.
    """
    rule = _RULES.get(found.function)
    if rule is not None:
        yield from rule(found, words)


def _classes(found: Found, words: Words) -> Iterator[str]:
    """Compare labels with the classes that there are."""
    del words
    plain = [one for one in found.operands if one.name != "weight"]
    if len(plain) < 2 or not plain[1].values or len(plain[0].shape) < 1:
        return
    outputs, labels = plain[:2]
    axis = 1 if len(outputs.shape) > 1 else 0
    count = outputs.shape[axis]
    ignored = (
        dict(found.settings)["ignore_index"].value if "ignore_index" in dict(found.settings) else _IGNORED
    )
    said = misnumbered(labels.values, count, ignored)
    if said:
        yield said
        yield f"axis {axis} of the outputs, {show(outputs.shape)}, holds the classes: {count}"


def misnumbered(values: Sequence[int], count: int, ignored: int = _IGNORED) -> str:
    """Say why labels are not the numbers of so many classes; empty where they are.

    Args:
        values: the different labels, in order.
        count: the number of classes.
        ignored: a label that the loss leaves out.

    Example:
        >>> misnumbered((0, 192), 2)
        'the labels are 0 and 192, 2 different values: the numbers of 2 classes are 0 to 1'
        >>> misnumbered((1, 2, 3), 3)
        'the labels run from 1 to 3: the numbers of 3 classes are 0 to 2'
        >>> misnumbered((0, 1, 2, 255), 3)
        'all labels but 255 are numbers of the 3 classes, 0 to 2; ignore_index is -100 by default'
        >>> misnumbered((0, 1), 1)
        'the labels run from 0 to 1, which takes 2 classes: there is 1'
        >>> misnumbered((0, 2), 3)
        ''
    """
    values = [one for one in values if one != ignored]
    outside = [one for one in values if not 0 <= one < count]
    if not outside:
        return ""
    numbers = f"the numbers of {count} classes are 0 to {count - 1}"
    if len(outside) == 1 and outside[0] not in (count, len(values) - 1) and len(values) > count:
        kept = f"all labels but {outside[0]} are numbers of the {count} classes, 0 to {count - 1}"
        by = "by default" if ignored == _IGNORED else "here"
        return f"{kept}; ignore_index is {ignored} {by}"
    low, high = values[0], values[-1]
    if low == 1 and high == count:
        return f"the labels run from 1 to {high}: {numbers}"
    if 1 < len(values) <= count and count > 1:
        written = ", ".join(map(str, values[:_WRITTEN])) + (", …" if len(values) > _WRITTEN else "")
        written = " and ".join(written.rsplit(", ", 1)) if len(values) <= _WRITTEN else written
        return f"the labels are {written}, {len(values)} different values: {numbers}"
    if low < 0:
        return f"a label is {low}: {numbers}"
    there = f"there {'is' if count == 1 else 'are'} {count}"
    return f"the labels run from {low} to {high}, which takes {high + 1} classes: {there}"


def _steps(found: Found, words: Words) -> Iterator[str]:
    """Compare the lengths that CTC is given with the steps of its outputs."""
    plain = [one for one in found.operands if not one.name]
    named = {one.name: one for one in found.operands}
    given = [*plain, *(named[name] for name in _CTC[len(plain) :] if name in named)]
    if len(given) < 3 or len(given[0].shape) != 3 or not given[2].values:
        return
    outputs, lengths = given[0], given[2]
    steps, longest = outputs.shape[0], max(lengths.values)
    if longest <= steps:
        return
    yield f"input_lengths go up to {longest}, and axis 0 of {show(outputs.shape)}, the steps, is {steps}"
    if outputs.shape[1] == longest or (
        outputs.shape[1] != len(lengths.values) and outputs.shape[0] == _rows(given)
    ):
        yield "ctc_loss reads outputs of (steps, batch, classes)"
    if outputs.axes[0] is not None:
        yield words.told(outputs.axes[0])


def _entries(found: Found, words: Words) -> Iterator[str]:
    """Compare the number of entries that are selected with those that there are."""
    if not found.operands or not found.asked or not found.operands[0].shape:
        return
    one, count = found.operands[0], found.asked[0]
    axis = found.asked[1].value if len(found.asked) > 1 else -1
    rank = len(one.shape)
    if not -rank <= axis < rank or count.value <= one.shape[axis]:
        return
    there = f"axis {axis % rank} of {show(one.shape)} has {one.shape[axis]}"
    yield f"{count.value} entries are selected by {found.function}, and {there}"
    yield words.told(count)
    length = one.axes[axis]
    if length is not None:
        yield words.told(length)


def _rows(given: Sequence[Operand]) -> int:
    """Return how many samples the targets are of."""
    return given[1].shape[0] if len(given[1].shape) == 2 else -1


_CTC = ("log_probs", "targets", "input_lengths", "target_lengths")
_RULES: dict[str, Callable[[Found, Words], Iterator[str]]] = {
    **dict.fromkeys(("cross_entropy", "nll_loss", "multi_margin_loss"), _classes),
    "ctc_loss": _steps,
    **dict.fromkeys(("topk", "kthvalue"), _entries),
}
