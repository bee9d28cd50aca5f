"""How the calculator reads an input: which number is the batch, the channels, a length of space."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shapeinspect.dims import Dim, Shape

_SPACE = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
_THINGS = {1: "a sequence", 2: "a picture", 3: "a volume"}
#: So many channels has a picture that nothing was computed of.
_PICTURE = frozenset({1, 3, 4})
_MOST_SPACE = 3


@dataclass(frozen=True, slots=True)
class LayerName:
    """What a framework's name of a layer says besides its kind.

    Args:
        space: the number of spatial axes; None if it does not say.
        channels_last: whether its channels come last; None if it does not say.
        depthwise: whether each channel has filters of its own.
        text: the name; empty if the layer was named by its kind.
    """

    space: int | None = None
    channels_last: bool | None = None
    depthwise: bool = False
    text: str = ""

    @classmethod
    def of(cls, text: str, channels_last: bool | None) -> LayerName:
        """Read a name.

        Args:
            text: the name.
            channels_last: where its framework has the channels; None if several frameworks have such a layer.

        Example:
            >>> LayerName.of("DepthwiseConv2D", True)
            LayerName(space=2, channels_last=True, depthwise=True, text='DepthwiseConv2D')
        """
        digit = re.search(r"([123])[dD]", text)
        return cls(int(digit[1]) if digit else None, channels_last, "depthwise" in text.lower(), text)


@dataclass(frozen=True, slots=True)
class InputReading:
    """The letters of an input's numbers.

    Args:
        axes: the letters.
        sure: how well it fits what else is known; more is better.
    """

    axes: tuple[str, ...]
    sure: int = 0

    @property
    def space(self) -> int:
        """The number of spatial axes."""
        return sum(axis not in "NC" for axis in self.axes)

    @property
    def channels(self) -> int | None:
        """Which number is the channels; None if none is."""
        return self.axes.index("C") if "C" in self.axes else None

    @property
    def channels_last(self) -> bool:
        """Whether the channels come last, behind the space."""
        return self.axes[-1] == "C"


def read_input(
    shape: Shape, name: LayerName, channels: Dim | None = None, space: int | None = None
) -> tuple[InputReading, str] | None:
    """Choose how an input is read, and say so where it could be read in another way.

    Args:
        shape: the numbers that were given.
        name: what the layer's name says.
        channels: the channels that the layer takes; None if they are not given.
        space: the number of spatial axes that further settings prove; None for none.

    Returns:
        the reading, and the sentence about it; None where the numbers fit no reading.

    Example:
        >>> reading, text = read_input((3, 224, 224), LayerName(), 3)
        >>> reading.axes
        ('C', 'H', 'W')
        >>> print(text)
        the input is read as C H W, a picture with 3 channels and no batch
    """
    found = sorted(_readings(shape, name, channels, space), key=lambda one: -one.sure)
    if not found:
        return None
    first = found[0]
    others = [one for one in found[1:] if one.sure >= first.sure - 1 and one.axes != first.axes]
    text = f"the input is read as {_text(first, shape)}"
    if others:
        also = "; or ".join(f"{_text(one, shape)}: {_how(one, name)}" for one in others[:2])
        text += f". It could also be {also}"
    elif len(first.axes) == first.space or len(first.axes) == first.space + 2:
        text = "" if _plain(first, name) else text
    return first, text


def _plain(reading: InputReading, name: LayerName) -> bool:
    """Tell whether nothing was chosen: lengths alone, or a batch in the order of the layer's framework."""
    if reading.channels is None:
        return True
    return name.channels_last in (None, reading.channels_last) and not (
        name.channels_last is None and reading.channels_last
    )


def _readings(
    shape: Shape, name: LayerName, channels: Dim | None, space: int | None
) -> Iterator[InputReading]:
    known = name.space if name.space is not None else space
    for count in (known,) if known is not None else (1, 2, 3):
        letters = _SPACE.get(count, ())
        for axes in (
            letters, ("C", *letters), (*letters, "C"), ("N", "C", *letters), ("N", *letters, "C"),
        ):  # fmt: skip
            if letters and len(axes) == len(shape):
                reading = InputReading(axes)
                sure = _fit(reading, shape, name, channels)
                if sure is not None:
                    yield InputReading(axes, sure)


def _fit(reading: InputReading, shape: Shape, name: LayerName, channels: Dim | None) -> int | None:
    """Rate a reading; None for one that what is known excludes."""
    at = reading.channels
    sure = 0
    if at is None:
        # Lengths alone suffice where a layer is named by its kind; a picture has its channels.
        first, last = shape[0] in _PICTURE, shape[-1] in _PICTURE
        picture = reading.space == _MOST_SPACE and name.space is None and (first or last)
        return -1 if picture or (channels is not None and channels in (shape[0], shape[-1])) else 3
    if channels is not None and shape[at] != channels:
        return (
            None if isinstance(shape[at], int) and isinstance(channels, int) and _has(shape, channels) else -2
        )
    if channels is not None:
        sure += 3
    batch = reading.axes[0] == "N"
    if name.channels_last is not None:
        sure += 2 if reading.channels_last == name.channels_last else 0
    else:
        sure += 0 if reading.channels_last else 2
    other = shape[-1] if not reading.channels_last else shape[1 if batch else 0]
    small, large = shape[at] in _PICTURE, other not in _PICTURE
    if channels is None and small and large and reading.space > 1:
        sure += 2
    if name.space is None and batch and reading.space == len(shape) - 2 and reading.space > 1:
        sure += 1
    return sure


def _has(shape: Shape, channels: int) -> bool:
    return any(length == channels for length in shape)


def _text(reading: InputReading, shape: Shape) -> str:
    letters = " ".join(reading.axes)
    thing = _THINGS[reading.space]
    if reading.channels is None:
        return f"{letters}, the lengths of {thing}"
    count = shape[reading.channels]
    noun = "channel" if count == 1 else "channels"
    batch = f"a batch of {shape[0]}" if reading.axes[0] == "N" else "no batch"
    return f"{letters}, {thing} with {count} {noun} and {batch}"


def _how(reading: InputReading, name: LayerName) -> str:
    """Say how to ask for a reading."""
    if name.space is None:
        spaced = f"name the layer with {reading.space}d"
    else:
        spaced = "--set data_format=" + ("channels_last" if reading.channels_last else "channels_first")
    return spaced if reading.channels is None or name.space is not None else f"{spaced}, or give --in"
