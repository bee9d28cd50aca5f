"""What the attributes of layers, objects and constants are while TorchScript's forward is followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Layer, Weight
from shapeinspect_torch.script.constants import argument
from shapeinspect_torch.script.values import Instance, Module, Name


class Attributes:
    """The attributes, with those that the code assigns.

    Args:
        layers: the modules, the outermost one first.
        settings: the plain attributes of each layer, by its path.
        constants: the constant tensors of the code, by name.

    Example:
        >>> made = Attributes([Layer("net", "module", "Net", ())], {"net": {"training": False}}, {})
        >>> made.of(Module(""), "training"), made.of(Name("torch"), "relu")
        (False, Name(text='torch.relu'))
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        settings: Mapping[str, Mapping[str, object]],
        constants: Mapping[str, Weight],
    ) -> None:
        self._settings = settings
        self._constants = constants
        self._roles: dict[str, dict[str, Weight]] = {}
        self._instances = 0
        #: The layers by their paths in the code, which are empty for the outermost one.
        self.modules = {("" if layer is layers[0] else layer.path): layer for layer in layers}
        #: What the code has assigned to an attribute, by the path of its module or object and its name.
        self.state: dict[tuple[str, str], Any] = {}

    def of(self, owner: Any, name: str) -> Any:
        """Return an attribute; UNKNOWN where it is not known.

        Args:
            owner: the module, the object, or the name that it is a part of.
            name: its name.
        """
        if isinstance(owner, Name):
            constant = self._constants.get(f"{owner.text}.{name}")
            return Name(f"{owner.text}.{name}") if constant is None else argument(constant)
        if isinstance(owner, Instance):
            return self.state.get((owner.path, name), UNKNOWN)
        if not isinstance(owner, Module):
            return UNKNOWN
        if (owner.path, name) in self.state:
            return self.state[owner.path, name]
        path = f"{owner.path}.{name}" if owner.path else name
        if path in self.modules:
            return Module(path)
        layer = self.modules[owner.path]
        if owner.path not in self._roles:
            self._roles[owner.path] = {weight.role: weight for weight in reversed(layer.weights)}
        weight = self._roles[owner.path].get(name)
        if weight is not None:
            return argument(weight)
        return self._settings.get(layer.path, {}).get(name, UNKNOWN)

    def assign(self, owner: Any, name: str, value: Any) -> None:
        """Keep what the code assigns; other values than modules and objects have no attributes.

        Args:
            owner: the module or the object.
            name: the name of its attribute.
            value: the new value.
        """
        if isinstance(owner, Module | Instance):
            self.state[owner.path, name] = value

    def instance(self, home: str) -> Instance:
        """Return a new object, which differs from all others.

        Args:
            home: its class, without ``__torch__``.
        """
        self._instances += 1
        return Instance(home, f"{home}\0{self._instances}")

    def origin(self, path: str) -> str:
        """Return the class of a module; empty where it has none.

        Args:
            path: the module's path in the code.
        """
        return (self.modules[path].origin or "") if path in self.modules else ""
