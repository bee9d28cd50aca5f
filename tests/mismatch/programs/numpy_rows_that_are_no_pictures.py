"""Rows of 784 numbers are no pictures of 28 by 32."""

import numpy as np

LAYER = "reshape"
CAUSE = "reshape"
FIX = "rows.reshape(-1, 1, 28, 28) instead of rows.reshape(-1, 1, 28, 32)"
REPAIR = ("28, 32)", "28, 28)")

rows = np.zeros((5, 784))
pictures = rows.reshape(-1, 1, 28, 32)
