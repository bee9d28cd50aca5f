"""The names by which a distributed checkpoint is known; imports nothing."""

from __future__ import annotations

INDEX = ".metadata"
SUFFIX = ".distcp"
