"""What the command line prints of networks that refuse, and how nested inputs are named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import refusing_nets

import shapeinspect

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("command", ["show", "fit"])
def test_a_size_that_fails_gives_the_table_and_the_diagnosis(run: Run, command: str) -> None:
    code, out, err = run(command, "refusing_nets:windows", "--input", "1,3,56,60", "--width", "80")
    assert (code, err) == (1, "")
    table, _, diagnosis = out.partition('layer "view"')
    assert "patch" in table
    assert "N1 C4 H14 W15" in table
    # 60 / 4 = 15 columns, of which two windows take 14
    assert "784 elements" in diagnosis
    assert max(map(len, out.splitlines())) <= 80


def test_what_is_not_about_shapes_stays_an_error(run: Run) -> None:
    code, out, err = run("show", "refusing_nets:defaults", "--input", "other=2,3")
    assert (code, out) == (2, "")
    assert "ids or embeddings" in err


def test_entries_of_dicts_and_lists_are_named(run: Run) -> None:
    given = ("--input", "batch.image=2,3,9,8", "--input", "batch.more.row=2,5")
    code, out, _ = run("show", "refusing_nets:nested", *given)
    assert code == 0
    assert "batch.more.row  N2 C5" in out
    report = shapeinspect.inspect(refusing_nets.frames, {"frames.0": (2, 3, 9, 8), "frames.1": (2, 3, 9, 8)})
    assert report.outputs[0].shape == (2, 2, 4, 7, 6)
    with pytest.raises(shapeinspect.UsageError, match="as a tensor, and with parts"):
        shapeinspect.inspect(refusing_nets.nested, {"batch": (2, 3), "batch.image": (2, 3, 9, 8)})


def test_a_forward_of_defaults_is_listed_without_a_run() -> None:
    report = shapeinspect.inspect(refusing_nets.defaults)
    assert [layer.path for layer in report] == ["table"]
    assert "no input was given" in report.notes[0].text
    assert shapeinspect.inspect(refusing_nets.defaults, "ids=2,7:int64").outputs[0].shape == (2, 7, 4)


def test_fit_follows_nested_inputs() -> None:
    fit = shapeinspect.fit(refusing_nets.frames, [(1, 3, 9, 8)])
    assert fit.answers == ("H, W ≥ 3",)
    assert fit.judge([(2, 3, 3, 3)]) == "fits"


def test_named_inputs_in_another_order_than_the_forwards_are_fitted() -> None:
    fit = shapeinspect.fit(refusing_nets.captioned, ["picture=1,3,9,8", "ids=1,5:int64"])
    assert fit.judge({"picture": (1, 3, 3, 4), "ids": (1, 7)}) == "fits"
    assert fit.judge({"picture": (1, 3, 2, 4), "ids": (1, 7)}) == "refused"
    assert fit.judge({"picture": (1, 3, 3, 4), "ids": (1, 8)}) == "refused"
    # A text is not given the picture's lengths.
    assert sorted(fit.answers) == ["H, W ≥ 3", "T 1 to 7"]
    assert fit.solution.together is None
    # What is added to the words is cut by the code: its length is the one of the run that failed.
    refusal = next(refusal for refusal in fit.solution.refusals if refusal.axes == ("T",))
    assert refusal.example == 8
    assert "7" in str(refusal.got)
    assert "(1, 5, 4)" not in str(refusal.got)
