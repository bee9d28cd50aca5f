"""The operators of ``ai.onnx.ml``: the names of their inputs, and their rows.

Their trained numbers are attributes, not inputs: a row says which, and how they are ordered.

Source: https://onnx.ai/onnx/operators/index.html#ai-onnx-ml
"""

from __future__ import annotations

from math import prod
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary.row import Op, Stored, named, op, signed

Settings = dict[str, Any]


def _classes(node: Node) -> int:
    labels = (node.get(name) for name in ("classlabels_ints", "classlabels_int64s", "classlabels_strings"))
    return max((len(found) for found in labels if found), default=0)


def _rows(node: Node) -> int:
    """Return how many linear functions there are: one for each class, or one for two classes."""
    return len(node.get("intercepts") or ()) or max(node.get("targets", 0), 0) or _classes(node) or 1


def _coefficients(node: Node) -> tuple[int, ...] | None:
    stored, rows = len(node.get("coefficients") or ()), _rows(node)
    return (rows, stored // rows) if stored and stored % rows == 0 else None


def _whole(attribute: str) -> Stored:
    return Stored(attribute, lambda node: (len(node.get(attribute) or ()),))


def _linear(node: Node) -> Settings:
    shape = _coefficients(node)
    return {"in_features": shape[1], "out_features": shape[0]} if shape else {}


def linear_classifier(node: Node) -> Settings:
    """Read a linear classifier: the label of each row, and a score for each class.

    Args:
        node: the node.
    """
    settings = _linear(node)
    rows = settings.get("out_features", 1)
    scores = max(_classes(node), 2 if rows == 1 else rows)
    lengths = Frozen({"o": scores, "r": rows})
    return {**settings, "signature": "N i -> N; N o | i -> 1; 1 o", "work": "N*i*r | i*r", "lengths": lengths}


def _targets(node: Node, attribute: str) -> Frozen[int]:
    """Return the length of the output, if the attribute may be one."""
    count = node.get(attribute, 1)
    return Frozen({"o": count} if count > 0 else {})


def linear_regressor(node: Node) -> Settings:
    """Read a linear regressor.

    Args:
        node: the node.
    """
    settings = _linear(node)
    lengths = _targets(node, "targets")
    return {**settings, "signature": "N i -> N o | i -> 1 o", "work": "N*i*o | i*o", "lengths": lengths}


def _vectors(node: Node) -> int:
    counted = sum(node.get("vectors_per_class") or ()) or node.get("n_supports", 0)
    return max(int(counted), 0)


def _support_vectors(node: Node) -> tuple[int, ...] | None:
    stored, count = len(node.get("support_vectors") or ()), _vectors(node)
    return (count, stored // count) if count and stored % count == 0 else None


def _support_coefficients(node: Node) -> tuple[int, ...] | None:
    stored, count = len(node.get("coefficients") or ()), _vectors(node)
    if not count:
        rows = _classes(node) or 1
        return (rows, stored // rows) if stored and stored % rows == 0 else None
    return (stored // count, count) if stored and stored % count == 0 else None


def _svm(node: Node) -> tuple[Settings, str, dict[str, int]]:
    vectors, coefficients = _support_vectors(node), _support_coefficients(node)
    kernel = (node.get("kernel_type") or "LINEAR").lower()
    settings: Settings = {"kernel": kernel, "num_vectors": _vectors(node)}
    if vectors and coefficients:
        return settings, "N*v*(i+c)", {"v": vectors[0], "c": coefficients[0]}
    return settings, "N*i*c", {"c": coefficients[0] if coefficients else 1}


def svm_classifier(node: Node) -> Settings:
    """Read a support vector classifier: without probabilities it has a score for each pair of classes.

    Args:
        node: the node.
    """
    settings, work, lengths = _svm(node)
    classes = _classes(node)
    pairs = not node.get("prob_a") and _vectors(node) and classes > 2
    scores = classes * (classes - 1) // 2 if pairs else max(classes, 2)
    return {
        **settings,
        "signature": "N i -> N; N o",
        "work": work,
        "lengths": Frozen({**lengths, "o": scores}),
    }


def svm_regressor(node: Node) -> Settings:
    """Read a support vector regressor or novelty detector.

    Args:
        node: the node.
    """
    settings, work, lengths = _svm(node)
    return {**settings, "signature": "N i -> N 1", "work": work, "lengths": Frozen(lengths)}


def _trees(node: Node) -> Settings:
    trees = node.get("nodes_treeids")
    count = len(set(trees)) if trees else len(node.get("tree_roots") or ())
    nodes = len(node.get("nodes_featureids") or ())
    return {"num_trees": count, "num_nodes": nodes}


def tree_classifier(node: Node) -> Settings:
    """Read an ensemble of trees that votes for classes.

    Args:
        node: the node.
    """
    lengths = Frozen({"o": max(_classes(node), 2)})
    return {**_trees(node), "signature": "N i -> N; N o | i -> 1; 1 o", "work": "0", "lengths": lengths}


def tree_regressor(node: Node) -> Settings:
    """Read an ensemble of trees that adds up numbers.

    Args:
        node: the node.
    """
    lengths = _targets(node, "n_targets")
    return {**_trees(node), "signature": "N i -> N o | i -> 1 o", "work": "0", "lengths": lengths}


def extracted(node: Node) -> Settings:
    """Read a choice of columns: as many as there are indices, however these are shaped.

    Args:
        node: the node.
    """
    indices = node.constant(1)
    if indices is not None:
        count = prod(indices.dims)
        return {"axis": -1, "signature": f"_ -> 1 {count} | ... _ -> ... {count}"}
    return {
        "axis": -1,
        "signature": "_, -> 1 1 | _, k -> 1 k | _, a b -> 1 a*b | ... _, -> ... 1"
        " | ... _, k -> ... k | ... _, a b -> ... a*b",
    }


def _vocabulary(*names: str) -> Any:
    def read(node: Node) -> Settings:
        size = max((len(node.get(name) or ()) for name in names), default=0)
        return {"lengths": {"V": size}} if size else {}

    return read


def _widths(node: Node) -> Settings:
    widths = node.get("inputdimensions")
    return {"lengths": {"C": sum(widths)}} if widths else {}


_SVM = (
    Stored("support_vectors", _support_vectors),
    Stored("coefficients", _support_coefficients),
    _whole("rho"),
)
_LINEAR = (Stored("coefficients", _coefficients), _whole("intercepts"))

#: ``ai.onnx.ml``, with the names of the inputs.
LEARNING: dict[str, tuple[str, Op]] = {
    "ArrayFeatureExtractor": ("X Y", op("gather", extracted, fixed="1")),
    "Binarizer": ("X", named("elementwise", "op", "binarize")),
    "CastMap": ("X", signed("cast", "* -> 1 ?")),
    "CategoryMapper": ("X", op("lookup")),
    "DictVectorizer": (
        "X", signed("lookup", "* -> 1 V", settings=_vocabulary("string_vocabulary", "int64_vocabulary"))
    ),
    "FeatureVectorizer": ("X", signed("concat", "N _ -> N C | _ -> 1 C", settings=_widths)),
    "Imputer": ("X", named("elementwise", "op", "impute")),
    "LabelEncoder": ("X", op("lookup")),
    "LinearClassifier": ("X", op("linear", linear_classifier, stored=_LINEAR)),
    "LinearRegressor": ("X", op("linear", linear_regressor, stored=_LINEAR)),
    "Normalizer": ("X", op("normalize", lambda node: {"axis": -1})),
    "OneHotEncoder": (
        "X", signed("one_hot", "... -> ... V", settings=_vocabulary("cats_strings", "cats_int64s"))
    ),
    "SVMClassifier": ("X", op("svm", svm_classifier, stored=(*_SVM, _whole("prob_a"), _whole("prob_b")))),
    "SVMRegressor": ("X", op("svm", svm_regressor, stored=_SVM)),
    "Scaler": (
        "X", op("elementwise", lambda node: {"op": "scale"}, stored=(_whole("offset"), _whole("scale")))
    ),
    "TreeEnsemble": ("X", op("tree_ensemble", tree_regressor)),
    "TreeEnsembleClassifier": ("X", op("tree_ensemble", tree_classifier)),
    "TreeEnsembleRegressor": ("X", op("tree_ensemble", tree_regressor)),
    "ZipMap": ("X", signed("operation", "* -> *")),
}  # fmt: skip
