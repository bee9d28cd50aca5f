"""The letters that a table writes for the names of the inputs' lengths."""

from __future__ import annotations

from shapeinspect.dims import Dim, symbol
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.render.letters import Letters
from shapeinspect.render.table import View, table

B, H, W = symbol("batch"), symbol("x.1"), symbol("width")


def model(inputs: dict[str, Value], **others: Value) -> Model:
    return Model("m", "onnx", "onnx", "onnx", values=Frozen({**inputs, **others}), inputs=tuple(inputs))


def image(*shape: Dim, axes: str = "NCHW", name: str = "x") -> Value:
    return Value(name, shape, None, tuple(axes))


def test_names_become_the_letters_of_their_axes() -> None:
    letters = Letters(model({"x": image(B, 3, H, W)}))
    assert str(letters.shape((B, 5, (H + 1) // 2, 2 * W, B * H))) == "(N, 5, (H + 1)//2, 2*W, H*N)"
    assert letters.shape((2, 3)) == (2, 3)
    assert letters.shape(None) is None
    assert str(letters.amount(7 * B * H)) == "7*H*N"


def test_a_name_of_two_axes_stays() -> None:
    letters = Letters(model({"x": image(B, 3, H, H)}))
    assert letters.shape((B, H)) == (symbol("N"), H)


def test_a_letter_of_two_names_is_not_used() -> None:
    letters = Letters(model({"x": image(B, 3, H, W), "y": image(B, 3, 7, H, name="y")}))
    assert letters.shape((B, H, W)) == (symbol("N"), H, W)


def test_a_letter_that_is_the_name_of_something_else_is_not_used() -> None:
    other = Value("z", (symbol("W"), 4))
    letters = Letters(model({"x": image(B, 3, H, W)}, z=other))
    assert letters.shape((B, H, W)) == (symbol("N"), symbol("H"), W)


def test_a_formula_is_no_name() -> None:
    letters = Letters(model({"x": image(2 * B, 3, H + 1, W)}))
    assert letters.shape((2 * B, H + 1, W)) == (2 * B, H + 1, symbol("W"))


def _total(work: Dim, *symbols: Dim) -> str:
    values = {f"x{n}": Value(f"x{n}", (size, 3), None, ("N", "C")) for n, size in enumerate(symbols)}
    calls = (Call("fc", tuple(values), ("y",), macs=work),)
    of = Model(
        "m", "onnx", "onnx", "onnx", (Layer("fc", "linear", "FC"),), calls, Frozen(values), tuple(values)
    )
    lines = ["".join(text for text, _ in line) for line in table(of, View())]
    return next(line for line in lines if line.startswith("MACs")).removeprefix("MACs").strip()


def test_work_is_for_each_n_only_where_the_batch_is_in_it() -> None:
    first, second = symbol("N1"), symbol("N2")
    assert _total(7 * B, B) == "7 for each N"
    assert _total(7 * first + 4 * second, first, second) == "11 for each N"
    assert _total(7 * symbol("T"), B) == "7*T"
    assert _total(7 * symbol("T") * B, B) == "7*T for each N"
    assert _total(symbol("T") - symbol("T") + 7, B) == "7"


def test_the_batches_of_several_inputs_are_one_letter_where_they_do_not_meet() -> None:
    first, second = symbol("N1"), symbol("N2")
    values = {"a": Value("a", (first, 3), None, ("N", "C")), "b": Value("b", (second, 4), None, ("N", "C"))}
    letters = Letters(model(values))
    assert str(letters.shape((first, 7))) == "(N, 7)"
    assert str(letters.shape((7, 2 * second))) == "(7, 2*N)"
    assert letters.shape((first, second)) == (first, second)


def test_a_symbol_that_has_the_letter_of_the_batch_is_not_taken_for_it() -> None:
    samples = symbol("N")
    letters = Letters(model({"wave": Value("wave", (B, samples), None, ("N", "L"))}))
    assert letters.shape((B, samples)) == (B, symbol("L"))
    assert letters.shape((B, 7)) == (B, 7)
    assert str(letters.amount(3 * B * samples)) == "3*L*batch"
