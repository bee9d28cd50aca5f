"""Pickles of a few bytes or of a few hundred thousand that stand for more than any memory holds.

What is shared is written once and meant many times: whoever writes it out, hashes it or walks it again at
each place does not come to an end.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

from cases import Case, Read, Refused, file, main
from make_pickles import TENSOR, W, archive, legacy, text, trap


def rebuilt(function: str, *args: bytes) -> bytes:
    """Opcodes of a call of one of torch's functions."""
    return b"c" + function.encode() + b"\n(" + b"".join(args) + b"tR"


FLOATS = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x0ftQ"
ORDERED = b"ccollections\nOrderedDict\n)R"
#: A tuple that is as long as 2^60 when it is written out, and one that no recursion gets through.
DOUBLED, NESTED = b")" + b"2\x86" * 60, b")" + b"\x85" * 100_000


def shaped(size: bytes, stride: bytes = b"K\x05K\x01\x86") -> bytes:
    """A weight of such a shape."""
    return rebuilt("torch._utils\n_rebuild_tensor_v2", FLOATS, b"K\x00", size, stride, b"\x89", ORDERED)


def sparse(layout: bytes, *parts: bytes) -> bytes:
    """A sparse weight of such a layout."""
    return rebuilt("torch._utils\n_rebuild_sparse_tensor", layout, b"(", *parts, b"K\x03K\x05\x86t")


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x03K\x05\x86"
LINEAR = b"ctorch.nn\nLinear\n)\x81}(" + text("_modules") + b"}" + text("_parameters")
NO_SHAPE, NO_LENGTH = "not a tuple of lengths", "an invalid length"


def written_out(odd: bytes) -> dict[str, Case]:
    """A tuple that is never to be written out, in every place where a name, number or key belongs."""
    module = LINEAR + b"}" + text("weight") + TENSOR + b"s" + text("in_features") + odd
    return {
        "as a length": trap(shaped(odd + b"K\x05\x86"), "a text without end", Refused(NO_LENGTH)),
        "as what makes a shape": trap(shaped(odd + b")R"), "a text without end", Refused(NO_SHAPE)),
        "as a layout": trap(
            sparse(odd, TENSOR, TENSOR), "a text without end", Refused("that is not a tensor")),
        "as an element type": trap(
            ARRAY + odd + b")R\x89" + text("x") + b"tb", "a text without end", Read(W)),
        "as the class of a setting": Case(
            file(lambda: archive(b"\x80\x02" + module + b")Rub.")), "a text without end",
            Read({"weight": (3, 5)})),
        "as the name of a weight": Case(
            file(lambda: archive(b"\x80\x02" + LINEAR + b"}" + odd + TENSOR + b"sub.")),
            "a text without end", Read({"?": (3, 5)})),
        "as the key of a storage": Case(
            file(lambda: legacy(b"\x80\x02}" + text("w") + TENSOR + b"s.", "0").replace(
                pickle.dumps(["0"], 2), b"\x80\x02(" + odd + b"l.")),
            "a text without end", Refused("a key of a storage is a tuple", at=True)),
    }  # fmt: skip


def shared(head: bytes, twice: bytes, tail: bytes, times: int) -> Callable[[Path], None]:
    """One large thing that stands in many places."""
    keys = b"".join(text(f"k{number}") + b"j\xff\x00\x00\x00" for number in range(times))
    return file(lambda: archive(b"\x80\x02" + twice + b"r\xff\x00\x00\x000" + head + keys + tail))


MANY = b"}(" + b"".join(text(f"a{number}") + b"K\x01" for number in range(30_000))
WRAPPED = (b"ctorch._utils\n_rebuild_wrapper_subclass\n", b"cm\nC\n",
           b"(cm\nC\nctorch\nfloat32\nK\x03K\x05\x86t")  # fmt: skip
SHARED = {
    "a dict of many names under many keys": Case(
        shared(b"}(", MANY + text("w") + TENSOR + b"u", text("ema") + b"}u.", 3000),
        "90 million names in sets", Read({f"k{n}.w": (3, 5) for n in range(3000)})),
    "a module of many settings in many places": Case(
        shared(LINEAR + b"}" + text("_modules") + b"}(",
               b"cm\nM\n)\x81" + MANY + text("_modules") + b"}" + text("_parameters") + b"}ub",
               b"uub.", 3000),
        "90 million settings", Read({})),
    "a state of many values for many tensors": Case(
        file(lambda: archive(
            b"\x80\x02" + MANY + b"ur\xff\x00\x00\x000}("
            + b"".join(text(f"k{n}") + rebuilt("torch._tensor\n_rebuild_from_type_v2", *WRAPPED,
                                              b"j\xff\x00\x00\x00") for n in range(2000)) + b"u.")),
        "60 million values", Read({f"k{n}": (3, 5) for n in range(2000)}, "m.C")),
}  # fmt: skip


def doubled_parts() -> bytes:
    """Sparse tensors of two others each, sixty times over."""
    made = b"](" + TENSOR + b"r\x00\x00\x00\x00"
    for number in range(1, 60):
        part = b"j" + struct.pack("<I", number - 1)
        layout = b"ctorch.serialization\n_get_layout\n" + text("torch.sparse_coo") + b"\x85R"
        made += sparse(layout, part, part) + b"r" + struct.pack("<I", number)
    return made + b"e"


HUGE = (b"(" + b"\x8a\x08" + bytes(7) + b"\x40") + b"\x8a\x08" + bytes(7) + b"\x40" + b"t"
FACTS = {
    "tensors of tensors": trap(doubled_parts, "a sum of 2^60 steps", Refused("more than 64 others")),
    "a nested tensor of 2^62 axes": trap(
        rebuilt("torch._utils\n_rebuild_nested_tensor", TENSOR,
                shaped(b"K\x00\x8a\x08" + bytes(7) + b"\x40\x86"), TENSOR, TENSOR),
        "a shape that fills the memory", Refused("axes")),
    "a tensor without values of 2^124 elements": trap(
        rebuilt("torch._utils\n_rebuild_meta_tensor_no_storage", b"ctorch\nfloat32\n", HUGE, HUGE, b"\x89"),
        "a number that no total can hold", Refused("64 bits")),
    "integers of one hash": Case(
        file(lambda: archive(
            b"\x80\x02}(" + text("w") + TENSOR + text("ids") + b"}("
            + b"".join(b"\x8a\x0a" + (1 + n * (2**61 - 1)).to_bytes(10, "little") + b"K\x01"
                       for n in range(20_000)) + b"uu.")),
        "a dict of quadratic time", Read(W)),
    "keys without end": Case(
        file(lambda: archive(b"\x80\x02" + (b"}" + text("model")) * 10**5 + TENSOR + b"s" * 10**5 + b".")),
        "a path of 100,000 keys", Refused("nested deeper than 100")),
    "a million sets": Case(
        file(lambda: archive(b"\x80\x02" + b"\x8f" * 3_000_000 + b".")), "memory", Refused("objects")),
    "many classes": Case(
        file(lambda: archive(b"\x80\x02" + b"".join(b"cm\n%d\n" % n for n in range(200_000)) + b".")),
        "memory", Refused("names more than")),
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"a tuple of 2^60 {name}": case for name, case in written_out(DOUBLED).items()},
    **{f"a deep tuple {name}": case for name, case in written_out(NESTED).items()},
    **SHARED,
    **FACTS,
}

if __name__ == "__main__":
    main(CASES)
