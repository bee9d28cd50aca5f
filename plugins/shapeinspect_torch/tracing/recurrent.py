"""Recurrent layers without a loop over time: one step is run, and its output is expanded."""

from __future__ import annotations

from typing import Any

#: torch's functions behind nn.LSTM, nn.GRU and nn.RNN.
RECURRENT = frozenset(("lstm", "gru", "rnn_tanh", "rnn_relu"))


def one_step(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a recurrent function on one time step and expand its output to the length of the input.

    torch's own shape function loops over time; the shapes of its results do not depend on the length.

    Args:
        func: ``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` or ``torch.rnn_relu``.
        args: as torch.nn passes them: ``(input, hx, params, has_biases, num_layers, dropout, train,
            bidirectional, batch_first)``, or for a packed sequence
            ``(data, batch_sizes, hx, params, ...)``.
        kwargs: passed on.
    """
    args = tuple(_on_meta(arg) for arg in args)
    if isinstance(args[3], (list, tuple)):
        return _packed(func, args, kwargs)
    data, axis = args[0], 1 if args[8] else 0
    steps = data.shape[axis]
    if steps <= 1:
        return func(*args, **kwargs)
    sequence, *states = func(data.narrow(axis, 0, 1), *args[1:], **kwargs)
    shape = list(sequence.shape)
    shape[axis] = steps
    return (sequence.new_empty(shape), *states)


def _packed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    import torch

    data, _, state = args[:3]
    batch = (state[0] if isinstance(state, (list, tuple)) else state).shape[1]
    batch_sizes = torch.tensor([batch], dtype=torch.int64, device="cpu")
    sequence, *states = func(data[:batch], batch_sizes, *args[2:], **kwargs)
    return (sequence.new_empty((data.shape[0], sequence.shape[1])), *states)


def _on_meta(arg: Any) -> Any:
    # A small initial state of zeros keeps its data.
    if isinstance(arg, (list, tuple)):
        return type(arg)(_on_meta(part) for part in arg)
    return arg.to("meta") if hasattr(arg, "is_floating_point") else arg
