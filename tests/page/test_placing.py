"""Geometry as data: boxes do not overlap, edges go down from rank to rank, crossings stay few."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from shapeinspect.ir import Model
from shapeinspect.page.document import content
from shapeinspect.page.placing import Placed, place

from .networks import flat, residual, two_ways, unet, weights_alone

Sizes = list[tuple[int, int]]
Edges = list[tuple[int, int]]


def graph(seed: int) -> tuple[Sizes, Edges]:
    draw = random.Random(seed)
    count = draw.randint(2, 45)
    pairs = {tuple(sorted(draw.sample(range(count), 2))) for _ in range(draw.randint(1, 2 * count))}
    sizes = [(draw.randint(20, 80), draw.randint(20, 140)) for _ in range(count)]
    return sizes, sorted((a, b) for a, b in pairs)


def check(sizes: Sizes, edges: Edges, placed: Placed) -> None:
    rows: dict[int, list[tuple[int, int]]] = {}
    for (left, right), rank, x in zip(sizes, placed.ranks, placed.columns, strict=True):
        rows.setdefault(rank, []).append((x - left, x + right))
    for (source, target), lanes in zip(edges, placed.lanes, strict=True):
        assert placed.ranks[source] < placed.ranks[target]
        assert len(lanes) == placed.ranks[target] - placed.ranks[source] - 1
        for rank, x in enumerate(lanes, placed.ranks[source] + 1):
            inside = [span for span in rows[rank] if span[0] <= x <= span[1]]
            assert not inside, f"the edge {source}→{target} runs through a box of rank {rank}"
    for row in rows.values():
        row.sort()
        assert all(before[1] + 20 <= after[0] for before, after in itertools.pairwise(row))
        assert row[0][0] >= 0
        assert row[-1][1] <= placed.width


@pytest.mark.parametrize("seed", range(60))
def test_no_two_boxes_overlap_and_no_edge_runs_through_a_box(seed: int) -> None:
    sizes, edges = graph(seed)
    check(sizes, edges, place(sizes, edges, (0, 0)))


def test_a_trunk_is_straight_and_its_skips_run_beside_it() -> None:
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 3), (1, 4)]
    sizes = [(60, 90), (40, 120), (70, 70), (50, 50), (30, 30)]
    placed = place(sizes, edges, (1, 1))
    assert len(set(placed.columns)) == 1
    assert all(x != placed.columns[0] for lanes in placed.lanes for x in lanes)
    check(sizes, edges, placed)


def test_ends_stand_at_the_ends_and_constants_by_their_readers() -> None:
    edges = [(0, 2), (2, 3), (1, 5), (3, 4), (4, 5), (5, 6)]  # 1 is a constant that the fifth box reads
    placed = place([(30, 30)] * 7, edges, (1, 1))
    assert placed.ranks[0] == 0
    assert placed.ranks[1] == placed.ranks[5] - 1
    assert placed.ranks[6] == max(placed.ranks)


#: How often edges cross in graphs drawn at random; a change of the layout may only lower it.
CROSSINGS = 968


def test_edges_cross_no_more_often_than_recorded() -> None:
    total = sum(place(*graph(seed), (0, 0)).crossings for seed in range(60))
    assert total <= CROSSINGS


@pytest.mark.parametrize("make", [residual, unet, two_ways])
def test_nothing_crosses_where_nothing_has_to(make: Callable[[], Model]) -> None:
    for _, ranks, columns, edges, _ in content(make())["places"]:
        steps: set[tuple[int, int, int]] = set()
        for source, target, *lanes in edges:
            way = [columns[source], *lanes, columns[target]]
            steps |= {(ranks[source] + k, *pair) for k, pair in enumerate(itertools.pairwise(way))}
        crossing = [(a, b) for a in steps for b in steps if a[0] == b[0] and a[1] < b[1] and a[2] > b[2]]
        assert not crossing


def test_boxes_without_edges_stand_in_rows_in_their_order() -> None:
    placed = place([(40, 40)] * 50, [], (0, 0))
    order = sorted(range(50), key=lambda box: (placed.ranks[box], placed.columns[box]))
    assert order == list(range(50))
    check([(40, 40)] * 50, [], placed)


def test_equal_blocks_are_placed_once() -> None:
    found = content(weights_alone(12, 3))
    assert len(found["places"]) == 2  # the whole model, and one block
    assert len(content(residual(6))["places"]) == len(content(residual(2))["places"])


def test_a_long_row_is_placed_in_time_that_grows_with_it() -> None:
    """Edges to far boxes share lanes, so that there are not many more lanes than boxes."""
    found = content(flat(300))
    lanes = {(edge[0], x) for place in found["places"] for edge in place[3] for x in edge[2:]}
    assert len(lanes) < 300
