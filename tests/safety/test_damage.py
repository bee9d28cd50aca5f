"""Files cut off or changed: a model or one clear error, quickly, in little memory, fit to print.

``pytest -m slow tests/safety`` makes 10,000 changes a format; SHAPEINSPECT_MUTATIONS=200000 as many as
it says; SHAPEINSPECT_FIRST is the first of them, so that a long run can be made in pieces.
"""

from __future__ import annotations

import os

import pytest

from .conftest import FORMATS

FEW, MANY = 300, int(os.environ.get("SHAPEINSPECT_MUTATIONS", "10000"))
FIRST = int(os.environ.get("SHAPEINSPECT_FIRST", "300"))
#: A format whose every reading starts a process gets so many times fewer; a fork stands for the process, and
#: below it is held against fresh ones.
SLOWER = 3

#: A tar ends in blocks of zeros, a protobuf wherever one of its fields does.
ENDS_ANYWHERE = frozenset({"torch-tar", "tf-saved-model", "tf-graph", "onnx"})


@pytest.mark.parametrize("name", FORMATS)
def test_whole(worker, samples, name: str) -> None:
    sample = samples[name]
    size = (sample.folder / sample.damaged).stat().st_size
    for cli in (False, True):
        outcome = worker.read(sample, range(size, size + 1), cut=True, cli=cli)
        assert (outcome.wrong, dict(outcome.counts)) == ([], {"model": 1})


@pytest.mark.parametrize("name", FORMATS)
def test_cut_off(worker, samples, name: str) -> None:
    sample = samples[name]
    size = (sample.folder / sample.damaged).stat().st_size
    step = max(size // (12 if sample.slow else 60), 1)
    outcome = worker.read(sample, range(0, size, step), cut=True, cli=True)
    assert outcome.wrong == []
    assert outcome.counts["refused"] > 0
    assert outcome.counts["model"] == 0 or name in ENDS_ANYWHERE


@pytest.mark.parametrize("name", FORMATS)
def test_changed(worker, samples, name: str) -> None:
    sample = samples[name]
    outcome = worker.read(sample, range(FEW // SLOWER if sample.slow else FEW), forked=sample.starts)
    assert outcome.wrong == []


@pytest.mark.parametrize("name", [name for name in FORMATS if name.startswith(("keras", "orbax"))])
def test_a_fork_does_what_a_fresh_process_does(worker, samples, name: str) -> None:
    found = [worker.read(samples[name], range(12), forked=forked) for forked in (False, True)]
    assert found[0].cases == found[1].cases
    assert not found[0].children
    assert (sum(found[1].children.values()) > 0) == samples[name].starts


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_changed_often(worker, samples, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    sample = samples[name]
    outcome = worker.read(sample, range(FIRST, FIRST + MANY), forked=sample.starts)
    with capsys.disabled():
        print(
            f"\n{name}: {dict(outcome.counts)}, {outcome.seconds:.0f} s, slowest {outcome.slowest:.2f} s",
            dict(outcome.children) or "",
        )
    assert outcome.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_cut_off_everywhere(worker, samples, name: str) -> None:
    sample = samples[name]
    size = (sample.folder / sample.damaged).stat().st_size
    outcome = worker.read(sample, range(0, size, max(size // 3000, 1)), cut=True, forked=sample.starts)
    assert outcome.wrong == []
