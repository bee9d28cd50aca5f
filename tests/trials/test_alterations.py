"""What a change alters of a program's meaning, as far as its place and its text tell it."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.trials.alterations import altered, noted
from shapeinspect.trials.source_file import Edit, File

_ENTRIES_OF = "a length to the number of entries of names"


@pytest.mark.parametrize(
    ("source", "old", "new", "said"),
    [
        ("y = x[:, first : first + 35]", "35", "43", "how much is read"),
        ("y = x[:, 1:]", "1", "2", ""),  # one further: a mistake of its own kind
        ("y = f(x)", "x", "x[0]", "which entries are read"),
        ("y = f(x)", "x", "x[:, None]", ""),
        ("loss = nn.BCELoss()", "nn.BCELoss", "nn.MSELoss", "the loss: MSELoss instead of BCELoss"),
        ("y = f(x.mean(1))", "x.mean(1)", "x", "what is computed: without mean"),
        ("y = f(x.flip(1))", "x.flip(1)", "x", ""),
        ("y = f(35)", "35", "43", ""),
        ("done = count >= 25", "25", "count", "a condition: count >= 25"),
        ("done = f(x, 25) >= 3", "25", "27", ""),
        ("im = prep(x, size)", "prep(x, size)", "prep(x, target_size=len(names))", _ENTRIES_OF),
        ("y = f(opt['scale'])", "opt['scale']", "len(names)", _ENTRIES_OF),
        ("y = f(classes=5)", "5", "len(names)", ""),
        (
            "x = rng.random((1, steps, 7))",
            "(1, steps, 7)",
            ("steps", "1"),
            "what is fed: steps samples instead of 1",
        ),
        ("def f(a, b):\n    return g(b.pop(), a, a)", "b", "a", "what is computed: b is not read any more"),
        ("def f(a, b):\n    a = g(b)\n    return a, b", "b", "a", ""),  # what it had been given
        ("def f(a, b):\n    return g(a, a)", "a", "b", ""),  # nothing had read the other one
        (
            "def net(tags):\n    return 5 if tags else 7\nnet(tags=True)",
            "True",
            "False",
            "what is done: tags is given up",
        ),
        ("def net(x, tags):\n    return f(x, tags)\nnet(x, tags=True)", "True", "False", ""),  # a setting
        ("MARK = -100", "-100", "-5", "what marks entries that are left out: -100"),
        ("MARK = -100", "100", "5", "what marks entries that are left out: -100"),
        ("y = x[-100:]", "-100", "-50", "how much is read"),
        ("common = {'z_dim': 20}", "20", "1", "a length to 1: z_dim"),
        ("net = Net(groups=16)", "16", "1", ""),
        ("y = f(axis=-1)", "-1", "-2", ""),
        (
            "counts = [4, 11, 7, 19, 26, 3, 15]",
            "26",
            "20",
            "what is fed: one of the numbers in a list of data",
        ),
        ("widths = [4, 8, 16, 32]", "16", "12", ""),
        ("def shop(n):\n    return torch.rand(n, 3)\nshop(57)", "57", "12", "how much data shop makes"),
        ("def head(n):\n    return nn.Linear(n, 3)\nhead(57)", "57", "12", ""),
        (
            "def shop(n):\n    return torch.rand(n, 3)\nload(shop(57), size=8)",
            "load(shop(57), size=8)",
            "load(shop(12), size=8)",
            "how much data shop makes",
        ),
        (
            "class Clips:\n    def __init__(self, n):\n        self.x = torch.rand(n, 3)\n"
            "    def __getitem__(self, i):\n        return self.x[i]\nClips(35)",
            "35",
            "36",
            "how much data Clips makes",
        ),
        (
            "def near(self, t):\n    return t.query(self.rows, self.k)",
            "self.k",
            "self.rows",
            "what is computed: self.k is not read any more",
        ),
        ("def near(self, t):\n    return t.query(self.k, self.k)", "self.k", "self.rows", ""),
        (
            "def ball(n, r):\n    return r * rng.normal(size=(n, 3))\n"
            "all = [ball(n, r) for n, r in ((210, 7), (120, 3))]",
            "120",
            "150",
            "how much data ball makes",
        ),
        (
            "load = DataLoader(held_out, batch_size=8)",
            "8",
            "8, drop_last=True",
            "what is read: the samples of an incomplete last batch are left out",
        ),
        ("load = DataLoader(own, shuffle=True)", "True", "True, drop_last=True", ""),
    ],
)
def test_what_a_change_alters(source: str, old: str, new: str | tuple[str, str], said: str) -> None:
    file = File.parsed("a.py", source)
    first = source.rindex(old)
    around = [
        node
        for node in ast.walk(file.tree)
        if isinstance(node, ast.expr)
        and file.span(node)[0] <= first <= first + len(old) <= file.span(node)[1]
    ]
    node = min(around, key=lambda one: file.span(one)[1] - file.span(one)[0])
    edits = (Edit("a.py", first, first + len(old), new),) if isinstance(new, str) else ()
    if isinstance(new, tuple) and isinstance(node, ast.Tuple):
        edits = tuple(file.edit(one, text) for one, text in zip(node.elts[:2], new, strict=True))
    assert altered(file, edits, node) == said


@pytest.mark.parametrize(
    ("source", "new", "said"),
    [
        ("torch.cat([a, b])", "torch.cat([a, b], dim=1)", "along which axis arrays are joined"),
        ("torch.sum(a)", "torch.sum(a, dim=1)", ""),
    ],
)
def test_another_axis_to_join_along_is_noted(source: str, new: str, said: str) -> None:
    file = File.parsed("a.py", source)
    call = file.tree.body[0].value
    assert noted(file, [file.edit(call, new)], call) == said


@pytest.mark.parametrize(
    ("parameters", "said"),
    [("width, side", "which argument is which: side is given for width"), ("a, b", "")],
)
def test_arguments_that_are_named_as_their_parameters_keep_their_places(parameters: str, said: str) -> None:
    file = File.parsed("a.py", f"def net({parameters}):\n    return 0\nnet(cfg.width, side)")
    call = next(node for node in ast.walk(file.tree) if isinstance(node, ast.Call))
    edits = [file.edit(call.args[0], "side"), file.edit(call.args[1], "cfg.width")]
    assert altered(file, edits, call) == said


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("N_CLASSES = 18", 18, "how many classes there are"),
        ("def net(width, classes=18): pass", 18, "how many classes there are"),
        ("def net(width, classes): pass\nnet(5, 18)", 18, "how many classes there are"),
        (
            "class Net:\n    def __init__(self, width, classes): pass\nNet(5, 18)",
            18,
            "how many classes there are",
        ),
        ("class Net:\n    def __init__(self, width, classes): pass\nNet(5, 18)", 5, ""),
        ("class Net:\n    def head(self, width, classes): pass\nNet().head(5, 18)", 5, ""),
        (
            "class Net:\n    def head(self, width, classes): pass\nNet().head(5, 18)",
            18,
            "how many classes there are",
        ),
        (
            "class Net:\n    @staticmethod\n    def head(width, classes): pass\nNet.head(5, 18)",
            18,
            "how many classes there are",
        ),
        ("net(5, 18)", 18, ""),
    ],
)
def test_what_a_change_is_besides(source: str, value: int, said: str) -> None:
    file = File.parsed("a.py", source)
    (node,) = file.numbers[value]
    assert noted(file, (file.edit(node, "4"),), node) == said
