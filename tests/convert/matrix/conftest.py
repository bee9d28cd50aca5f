"""The matrix needs Flax and MLX, which the other tests do not: without them there is nothing to collect."""

from __future__ import annotations

from importlib.util import find_spec

if any(find_spec(name) is None for name in ("flax", "mlx")):
    collect_ignore_glob = ["*"]
