"""TorchScript whose code makes whoever follows it count, copy or walk without end.

``python make_scripts.py FOLDER`` writes the files.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

from cases import HEADERS, Case, Read, Refused, file, main, packed
from make_pickles import TENSOR, text

W = {"weight": (3, 5)}
CLASS = "class M(Module):\n  __parameters__ = []\n  training : bool\n"
FORWARD = "  def forward(self: __torch__.M,\n    x: Tensor) -> Tensor:\n"


def archive(code: str, inner: bytes = b"", more: dict[str, bytes] | None = None) -> bytes:
    """An archive of a module of one weight with this code."""
    state = b"}(" + text("training") + b"\x89" + text("weight") + TENSOR + inner + b"u"
    members = {
        "m/data.pkl": b"\x80\x02c__torch__\nM\n)\x81" + state + b"b.", "m/constants.pkl": b"\x80\x02).",
        "m/data/0": bytes(60), "m/code/__torch__.py": code.encode(), **(more or {}),
    }  # fmt: skip
    return packed(members, zipfile.ZIP_DEFLATED)


def follows(lines: Sequence[str], tries: str) -> Case:
    """A case of a forward of these lines."""
    code = CLASS + FORWARD + "".join(f"    {line}\n" for line in lines)
    return Case(file(lambda: archive(code)), tries, Read(W), row=HEADERS)


TWICE = ["a = (x, x)", *["a = (a, a)"] * 60]
WAYS = {
    "a tuple of 2^60 that is given back": follows([*TWICE, "return a"], "a walk of 2^60 steps"),
    "a tuple of 2^60 as an argument": follows(
        [*TWICE, "y = torch.cat(a, 1)", "return y"], "a walk of 2^60 steps"),
    "a list of 2^60": follows(
        ["a = [x, x]", *["a = [a, a]"] * 60, "y = torch.cat(a, 1)", "return y"], "a walk of 2^60 steps"),
    "lists that grow afterwards": follows(
        [*(f"a{n} = annotate(List[int], [])" for n in range(60)),
         *(f"_ = torch.append(a{n // 2}, a{n // 2 + 1})" for n in range(118)),
         "y = torch.cat(a0)", "return x"], "a walk of 2^60 steps"),
    "a list in itself": follows(
        ["a = [x]", "_ = torch.append(a, a)", "y = torch.cat(a)", "return x"], "a walk without end"),
    "a list that is added to itself": follows(
        ["l = [x]"] + ["l = torch.add(l, l)"] * 60 + ["torch.extend(l, l)"] * 60 + ["return torch.cat(l, 1)"],
        "a list of 2^60 parts",
    ),
    "a list that is repeated": follows(
        ["l = torch.mul([x], 1000000000000)", "return torch.cat(l, 1)"], "a list of 10^12 parts"
    ),
    "two tuples of 2^60 that are compared": follows(
        [*TWICE, *(line.replace("a", "b") for line in TWICE),
         "if bool(x):", "  c = a", "else:", "  c = b", "return x"], "a comparison of 2^60 steps"),
    "a name of 2^60 parts": follows([*TWICE, "y = getattr(self, a)", "return x"], "a text without end"),
    "a range of 10^23": follows(
        ["for i in range(100000000000000000000000):", "  x = torch.relu(x)", "return x"],
        "a length that is no length"),
    "a length of nothing": follows(["y = torch.len()", "return x"], "an argument that is not there"),
    "branches that name their result alike": follows(
        [*["if bool(x):", "  y = torch.relu(x)", "else:", "  y = torch.tanh(x)", "x = y"] * 3000, "return x"],
        "names that grow by a letter each"),
    "branches that see many names": follows(
        [*(f"v{n} = 1" for n in range(20_000)), *["if bool(x):", "  pass"] * 10_000, "return x"],
        "copies of all names"),
    "many names on the left in a loop": follows(
        ["y = torch.lstm(x)", "for i in range(256):", "  for j in range(256):",
         "    " + ",".join(f"a{n}" for n in range(9000)) + " = y", "return x"], "65,536 times 9,000 names"),
    "a sum of many": follows(["y = " + "+".join(["x"] * 60_000), "return y"], "a stack that overflows"),
}  # fmt: skip


def methods(count: int) -> bytes:
    """A class whose forward calls as many methods."""
    calls = "".join(f"    _{n} = (self).m{n}(x)\n" for n in range(count))
    made = "".join(
        f"  def m{n}(self: __torch__.M, x: Tensor) -> Tensor:\n    return x\n" for n in range(count)
    )
    return archive(CLASS + FORWARD + calls + "    return x\n" + made)


def classes(count: int) -> bytes:
    """Modules of as many classes, each with a file of code that takes a thousandth of its length."""
    inner = b"".join(
        text(f"m{n}") + b"c__torch__.a%d\nN\n)\x81}" % n + text("training") + b"\x89sb" for n in range(count)
    )
    code = b"class N(Module):\n" + b"#" * 4_000_000
    more = {f"m/code/__torch__/a{n}.py": code for n in range(count)}
    return archive(CLASS + FORWARD + "    return x\n", inner, more)


CASES: dict[str, Case] = {
    **WAYS,
    "many methods": Case(
        file(lambda: methods(12_000)), "a search of all code for each", Read(W), row=HEADERS),
    "code of many classes": Case(
        file(lambda: classes(12)), "bytes that are inflated and kept", Refused("its code has more than"),
        row=HEADERS),
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
