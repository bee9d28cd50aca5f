"""How long the names of a model may be in all: they are kept whole, in parts, and in an order."""

from __future__ import annotations

from shapeinspect.errors import UnreadableFileError

#: The most characters of all names. The longest of real files are those of experts, such as
#: ``model.layers.60.mlp.experts.383.down_proj.weight_scale_inv`` of 57 characters: 60 layers of 384 experts
#: of three weights and their scales are 138,240 names of 8 million characters.
MOST = 32 << 20
#: The most parts of a name that become containers; the rest of a longer one stays one part.
DEEPEST = 100


class Names:
    """Counts the characters of the names of a model.

    Args:
        label: the file, for the error.

    Example:
        >>> Names("m.safetensors").count("fc.weight")
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._left = MOST

    def count(self, name: str) -> None:
        """Count a name.

        Args:
            name: the name of a weight.

        Raises:
            UnreadableFileError: if the names are longer in all than those of any model.
        """
        self._left -= len(name)
        if self._left < 0:
            raise UnreadableFileError(self._label, f"its names have more than {MOST:,} characters in all")
