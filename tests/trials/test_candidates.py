"""Which changes of a source are tried, and in which order."""

from __future__ import annotations

from textwrap import dedent

from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.trials.candidates import candidates
from shapeinspect.trials.sizes import Sizes, numbers, sizes_of
from shapeinspect.trials.source_file import Edit, File
from shapeinspect.trials.written import joined

WORDS = EditWords(
    settings={"Recurrent": ("batch_first=True",)},
    words={"same": ("valid",)},
    plain=frozenset({"grown", "moved"}),
    wraps={"arrays.Array": ("{}.grown(1)",)},
    renamed={"stack": ("join",)},
)


def texts(
    source: str, failed: int, sizes: Sizes | None = None, arrays: dict[str, str] | None = None
) -> list[str]:  # it is frozen
    """Return the changed lines, the likeliest first."""
    source = dedent(source).lstrip()
    file = File.parsed("a.py", source)
    found = candidates([file], [("a.py", failed)], sizes or Sizes(), WORDS, arrays or {}, frozenset({"lib"}))
    return [changed(source, one.edits) for one in found]


def changed(source: str, edits: tuple[Edit, ...]) -> str:
    raw = source.encode()
    for edit in sorted(edits, key=lambda one: -one.first):
        raw = raw[: edit.first] + edit.new.encode() + raw[edit.last :]
    before, after = source.splitlines(), raw.decode().splitlines()
    return "; ".join(new for old, new in zip(before, after, strict=True) if new != old)


def test_what_the_script_had_not_come_to_is_left_as_it_is() -> None:
    source = """
    def made(n):
        return lib.grown(n, 4)
    x = made(3)
    y = lib.moved(x, 4)
    """
    found = texts(source, 3, Sizes(((4, 7),)))
    assert "    return lib.grown(n, 7)" in found
    assert not any(one.startswith("y =") for one in found)


def test_a_number_that_is_one_of_the_sizes_becomes_the_other() -> None:
    found = texts("width = 40\nrun(width)\n", 2, Sizes(((40, 24),)))
    assert found[0] == "width = 24"


def test_a_number_that_is_a_factor_is_scaled() -> None:
    assert "layer(6 * 7)" in texts("layer(4 * 7)\n", 1, Sizes(((28, 42),)))


def test_equal_factors_change_together() -> None:
    found = texts("layer(16 * 5 * 5)\n", 1, Sizes(((784, 400),)))
    assert "layer(16 * 7 * 7)" in found[:6]


def test_what_is_nearer_to_the_failure_comes_first() -> None:
    source = """
    other = 40
    width = 40
    def make(size):
        return size
    data = make(width)
    run(data)
    """
    found = texts(source, 6, Sizes(((40, 24),)))
    assert found.index("width = 24") < found.index("other = 24")


def test_settings_axes_words_and_rearrangements() -> None:
    assert "x = Recurrent(3, batch_first=True)" in texts("x = Recurrent(3)\n", 1)
    assert 'x = pad(y, "valid")' in texts('x = pad(y, "same")\n', 1)
    assert "x = mean(y, axis=2)" in texts("x = mean(y, axis=1)\n", 1)
    assert "x = y" in texts("x = y.grown(1)\n", 1)
    assert "x = y" in texts("x = lib.grown(y, 1)\n", 1)
    assert "x = lib.join(y)" in texts("x = lib.stack(y)\n", 1)
    assert "x = f(b, a)" in texts("x = f(a, b)\n", 1)
    assert "x = y" in texts("x = y[..., None]\n", 1)
    assert "x = f(y.grown(1))" in texts("x = f(y)\n", 1, arrays={"y": "arrays.Array"})
    assert "x = f(last=True)" in texts("x = f(last=False)\n", 1)


def test_a_layer_too_many_is_left_out_last() -> None:
    found = texts("net = Chain(Conv(3), Pool(2), Flat(), Dense(4))\nrun(net)\n", 2)
    assert "net = Chain(Conv(3), Flat(), Dense(4))" in found
    assert found.index("net = Chain(Conv(3), Flat(), Dense(4))") > found.index(
        "net = Chain(Conv(3), Pool(2), Flat(), Dense(5))"
    )


def test_numbers_of_a_message() -> None:
    assert numbers("mat1 and mat2 shapes cannot be multiplied (3x4096 and 2304x96)") == [3, 4096, 2304, 96]
    assert numbers("Expected size 64 but got size 48 for tensor number 1 in the list.") == [64, 48, 1]
    assert numbers("[ShapeInferenceError] dimension 0: 1.5 float32") == [0]
    assert sizes_of("a (8) and b (9)", [(7, 5)]).pairs == ((7, 5), (8, 9))
    said = "operand 1, axis 0: size 30 is different from 21"
    assert sizes_of(said, [], [(7, 21), (30, 5), (21, 30)], [5, 21, 30, 7]).pairs[0] == (21, 30)


def test_code_of_several_lines_is_told_on_one() -> None:
    assert joined("f(\n    3,  # rows\n    'a  b',\n)") == "f(3, 'a  b',)"
    assert joined("return a + (\n    b)") == "return a + (b)"
    assert joined("a if b \\\n    else c") == "a if b else c"
    assert joined("if x:\n    y = 1") == "if x: y = 1"


def test_no_number_of_samples_becomes_zero() -> None:
    for source in ("x = zeros(1, 5)\n", "x = zeros((1, 5))\n", "batch = 1\n", "f(batch_size=1)\n"):
        found = texts(source, 1)
        assert source.strip().replace("1", "2") in found
        assert source.strip().replace("1", "0") not in found
    assert "x = layer(3, padding=0)" in texts("x = layer(3, padding=1)\n", 1)


def test_another_number_of_samples_is_said_to_alter_the_program() -> None:
    file = File.parsed("a.py", "x = zeros((4, 5))\n")
    found = candidates([file], [("a.py", 1)], Sizes(((4, 7),)), WORDS, {}, frozenset())
    first = [one for one in found if one.number is not None and one.number[0] == 4]
    assert {one.number[1] for one in first if one.number is not None} >= {3, 5, 7, 8}
    assert {one.alters for one in first} == {"how many samples there are"}


def test_height_and_width_change_together_where_another_factor_is_as_long() -> None:
    found = texts("layer(4 * width * 4 * 4)\n", 1, Sizes(((4608, 2048),)))
    assert "layer(4 * width * 6 * 6)" in found


CHOSEN = """
def read(split="small", kind="byte"):
    count = {"small": 5, "full": 10}[split]
    if kind == "byte":
        return count
    if kind in ("pinyin", "char"):
        return 3 * count
kind = "byte"
data = read(kind=kind)
run(data)
"""


def test_another_word_of_a_choice_is_given_where_the_first_one_is() -> None:
    found = texts(CHOSEN, 9)
    assert 'kind = "pinyin"' in found[:6]
    assert 'data = read(kind=kind, split="full")' in found[:6]
    assert not any('kind == "pinyin"' in one or '{"full": 5' in one for one in found)


CHOSEN_IN_CLASS = """
def build(count, *, kind="plain"):
    return count if kind == "plain" else 3 * count if kind == "deep" else None
class Net:
    def head(self, count, mode="one"):
        return count if mode == "one" else 2 * count if mode == "two" else None
net = Net()
net.head(build(8))
net.head(build(5, kind="plain"), "one")
"""


def test_another_word_is_given_to_parameters_by_name_alone_and_to_methods() -> None:
    found = texts(CHOSEN_IN_CLASS, 8)
    assert 'net.head(build(8, kind="deep"))' in found
    assert 'net.head(build(8), mode="two")' in found
    assert not any(one.startswith("net = Net(mode=") or ', "one", mode=' in one for one in found)


def test_what_is_data_is_no_choice() -> None:
    found = texts('names = {"ant": 3, "bee": 5}\nrun(names["ant"], label="ant")\n', 2)
    assert not any('"bee")' in one for one in found)
