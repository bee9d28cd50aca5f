"""A column of numbers is joined to a table."""

import numpy as np

LAYER = "concatenate"
CAUSE = "missing-axis"
FIX = "np.concatenate([table, ages[:, None]], axis=1) instead of np.concatenate([table, ages], axis=1)"
REPAIR = ("[table, ages]", "[table, ages[:, None]]")

table, ages = np.zeros((9, 4)), np.zeros(9)
joined = np.concatenate([table, ages], axis=1)
