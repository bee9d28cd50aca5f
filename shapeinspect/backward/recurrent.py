"""What recurrent layers keep whose steps run one by one; a library runs an LSTM, with memory of its own."""

from __future__ import annotations

from shapeinspect.backward.site import Kept, Site
from shapeinspect.dims import UNKNOWN


def gru(site: Site) -> Kept:
    """Return what a GRU keeps.

    Args:
        site: the call.
    """
    # Of each step: the state before it, three gates and a copy of the third, the new state less the old one,
    # and its tanh; the first two gates are overwritten by their sigmoids.
    return _recurrent(site, 7, 0)


def rnn(site: Site) -> Kept:
    """Return what a plain recurrent layer keeps.

    Args:
        site: the call.
    """
    return (
        _recurrent(site, 1, 1) if site.attributes.get("cell_function", "tanh") in ("tanh", "relu") else None
    )


def _recurrent(site: Site, each: int, more: int) -> Kept:
    """Return what a stack of recurrent layers keeps: the input of each, and of each step some states.

    Args:
        site: the call.
        each: how many states each step keeps.
        more: how many more each layer keeps.

    Source: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/RNN.cpp (an LSTM is left to a
        library there, which keeps memory of its own)
    """
    tensor, names = site.input, site.attributes
    hidden, layers = names.get("hidden_size"), names.get("num_layers", 1)
    if tensor is None or tensor.shape is None or len(tensor.shape) != 3 or len(site.inputs) > 1:
        return None
    if not isinstance(hidden, int) or not isinstance(layers, int) or not site.params or tensor.item < 4:
        return None
    if tensor.contiguous is not True or "proj_size" not in names:  # other frameworks' layers do otherwise
        return None
    first = bool(names.get("batch_first"))
    batch, steps, size = (tensor.shape[:2] if first else tensor.shape[1::-1]) + tensor.shape[2:]
    ways = 2 if names.get("bidirectional") else 1
    state = batch * hidden * tensor.item
    found = [site.new(f"states {layer}", ways * (steps * each + more) * state) for layer in range(layers)]
    if first:  # each direction reads rows of one step behind the other: a copy
        rows = steps * batch * size * tensor.item
        found += [site.new(f"rows {way}", rows) for way in range(ways)]
    else:
        found.append(tensor)
    inner = steps * ways * state
    found += [site.new(f"between {layer}", inner) for layer in range(1, layers)]
    if layers > 1:  # whether there is dropout between them, no setting says
        found.append(site.new("masks", UNKNOWN))
    return tuple(found)
