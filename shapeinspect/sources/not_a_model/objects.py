"""Objects in memory that are no model of a framework that is read: what each is, and the way out; rows."""

from __future__ import annotations

from collections.abc import Set

_ESTIMATOR = "skl2onnx.to_onnx(estimator, X[:1]) makes an onnx.ModelProto, which is read as it is"

#: The top-level module of the object's class, what the object is, what the user can do.
OBJECTS: tuple[tuple[str, str, str], ...] = (
    ("tf_keras", "a model of Keras 2", 'save it as HDF5, and name the file: model.save("model.h5")'),
    ("sklearn", "a scikit-learn estimator", _ESTIMATOR),
    ("xgboost", "an XGBoost model", "onnxmltools.convert_xgboost makes an onnx.ModelProto of it"),
    ("lightgbm", "a LightGBM model", "onnxmltools.convert_lightgbm makes an onnx.ModelProto of it"),
    ("catboost", "a CatBoost model", 'save it and name the file: model.save_model("m.onnx", format="onnx")'),
    ("onnxruntime", "a session of onnxruntime", "name the .onnx file that it runs"),
    ("openvino", "an OpenVINO model", "name the model that it was converted from"),
    ("coremltools", "a Core ML model", "name the model that it was converted from"),
    ("paddle", "a Paddle model", "paddle.onnx.export(model, NAME, input_spec=[…]), and name the .onnx file"),
    ("mxnet", "an MXNet model", "mxnet.onnx.export_model writes an .onnx file"),
    ("tensorflow", "an object of TensorFlow", 'tf.saved_model.save(module, "folder"), and name the folder'),
    (
        "flax",
        "a Flax module",
        "its parameters as a mapping of names to arrays are read, and so is their file",
    ),
    ("transformers", "an object of transformers", "name its model, such as pipeline.model"),
)


def foreign_object(modules: Set[str]) -> tuple[str, str] | None:
    """Return what an object that no adapter reads is, and what the user can do; None if that is not known.

    Args:
        modules: the top-level modules of its classes.

    Example:
        >>> foreign_object({"sklearn", "builtins"})[0]
        'a scikit-learn estimator'
    """
    return next(((what, hint) for name, what, hint in OBJECTS if name in modules), None)
