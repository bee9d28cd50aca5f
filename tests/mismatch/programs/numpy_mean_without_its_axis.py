"""The mean of each row has lost its axis."""

import numpy as np

LAYER = "sub"
CAUSE = "missing-axis"
FIX = "signals - signals.mean(1, keepdims=True) instead of signals - signals.mean(1)"
REPAIR = ("signals.mean(1)", "signals.mean(1, keepdims=True)")

signals = np.zeros((6, 40))
centered = signals - signals.mean(1)
