"""What a table of layouts says of native types, as rows that are only shown."""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.layout.table import Table
from shapeinspect.plugin_api.native import ShownRow


def shown_rows(table: Table, kinds: Mapping[str, str], rare: bool = False) -> tuple[ShownRow, ...]:
    """Return what a table of layouts says of some native types, each weight and rank once.

    Args:
        table: the table of the layouts of stored models.
        kinds: the native types that are shown, and the kind of each.
        rare: whether they are left out where a kind is asked for.

    Example:
        >>> from shapeinspect.layout import Row
        >>> table = Table([Row("FULLY_CONNECTED", "filter", "o i", "o i")])
        >>> shown_rows(table, {"FULLY_CONNECTED": "linear"})[0].native
        'o i'
    """
    return tuple(
        ShownRow(
            kind, name, row.role, row.native, row.common,
            note=", ".join(
                [f"{axis}: {native} → {common}" for axis, native, common in row.orders]
                + [f"{axis} reversed" for axis in row.flips]
            ), rare=rare,
        )
        for name, kind in kinds.items()
        for row in table.rows
        if name in row.types.split()
    )  # fmt: skip
