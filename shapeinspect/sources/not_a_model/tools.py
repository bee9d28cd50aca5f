"""Files of other tools: what each is, and what makes a file of it that can be read; nothing but rows."""

from __future__ import annotations

import re

from shapeinspect.sources.not_a_model.proofs import (
    beside,
    is_flatbuffer,
    is_record,
    is_tensor,
    named,
    pickles,
)
from shapeinspect.sources.not_a_model.rows import MARK, Foreign, row

_NO_WAY_BACK = "which nothing converts back: name the model that it was made from"
_IR = rb"\s*(?:<\?xml[^>]*>\s*)?<net\s[^>]*version="
_NCNN = rb"7767517\s"
_DARKNET = rb"\s*(?:[#;][^\n]*\n\s*)*\[net(?:work)?\]"
_PADDLE = (
    "paddle2onnx --model_dir . --model_filename NAME.pdmodel --params_filename NAME.pdiparams "
    "--save_file model.onnx"
)
_MXNET = (
    'in Python: mxnet.onnx.export_model("NAME-symbol.json", "NAME-0000.params", [shape], [dtype], '
    '"model.onnx")'
)
_DARKNET_WAY = (
    "convert the .cfg and the .weights together to ONNX, as pytorch-YOLOv4's demo_darknet2onnx.py does"
)

TOOLS: tuple[Foreign, ...] = (
    row(_IR, "it is the graph of an OpenVINO model", f"it is OpenVINO's own form, {_NO_WAY_BACK}"),
    row(rb"", "it holds the weights of the OpenVINO model in the .xml file beside it",
        f"it is OpenVINO's own form, {_NO_WAY_BACK}", always=False, proof=beside(".xml", _IR)),
    # A version, and a description that begins with an input's or an output's name, or with the metadata.
    row(rb"\x08[\x01-\x20]\x12[\x80-\xff]{0,4}[\x00-\x7f](?:[\x0a\x52][\x80-\xff]?[\x00-\x7f]\x0a|\xa2\x06)",
        "it is a Core ML model", f"it was made by coremltools, {_NO_WAY_BACK}"),
    row(rb".{4}\x02\x00{3}.{56}\xef\xbe\xad\xde", "it holds the weights of a Core ML package (.mlpackage)",
        f"they were made by coremltools, {_NO_WAY_BACK}"),
    # Blocks, the first with its number and its parent's.
    row(rb"\x0a[\x80-\xff]{0,4}[\x00-\x7f]\x08\x00\x10(?:\xff{9}\x01|[\x00-\x7f])[\x1a\x22]",
        "it is the program of a Paddle model", _PADDLE),
    row(rb"\s*\{\s*\"base_code\"\s*:\s*\{[^}]*\"pir\"", "it is the program of a Paddle model (PIR)",
        _PADDLE.replace(".pdmodel", ".json")),
    # Version 0, no levels of detail, version 0, a short description with the type and the lengths.
    row(rb"\x00{16}[\x02-\x7f]\x00{3}\x08[\x00-\x30](?:\x10|\x12|$)",
        "it holds the parameters of a Paddle model", _PADDLE, always=False),
    row(_NCNN, "it is the graph of an ncnn model", f"it was made by pnnx or onnx2ncnn, {_NO_WAY_BACK}"),
    row(rb"\xdd\x85\x76\x00", "it is the graph of an ncnn model, in binary",
        f"it was made by pnnx or onnx2ncnn, {_NO_WAY_BACK}"),
    row(rb"", "it holds the weights of the ncnn model in the .param file beside it",
        f"it was made by pnnx or onnx2ncnn, {_NO_WAY_BACK}", always=False, proof=beside(".param", _NCNN)),
    row(_DARKNET, "it is the description of a Darknet network", _DARKNET_WAY),
    row(rb"\x00{4}[\x01\x02]\x00{3}[\x00-\x0a]\x00{3}", "it holds the weights of a Darknet network",
        _DARKNET_WAY, always=False, proof=named(".weights")),
    # The header of the library, also behind the length and the JSON that Ultralytics writes before it.
    row(rb"(?:.{4}\{.{0,4000}?\})?[fp]trt", "it is a TensorRT engine, compiled for one GPU",
        "nothing converts it back: name the ONNX file that it was built from"),
    row(rb".{4}\{\"description\": ?\"ultralytics", "it is a TensorRT engine, compiled for one GPU",
        "nothing converts it back: name the ONNX file that it was built from"),
    row(rb"(?:CYPT)?RKNN", "it is a model for Rockchip's NPU (RKNN)",
        f"it was made by rknn-toolkit, {_NO_WAY_BACK}"),
    row(rb"", "it is an MNN model", f"it was made by mnnconvert, {_NO_WAY_BACK}", always=False,
        proof=named(".mnn", is_flatbuffer)),
    row(rb".{4}ET\d\d", "it is an ExecuTorch program",
        "name the program that torch.export.save wrote before it was lowered"),
    row(rb".{4}CIR0", "it is a Circle model (ONE)", f"it was made from a TFLite file, {_NO_WAY_BACK}"),
    row(rb"(?:lmgg|fmgg|tjgg)", "it is a ggml model from before GGUF",
        "convert the original checkpoint again, with convert_hf_to_gguf.py of llama.cpp"),
    row(rb"\x80|x[\x01\x5e\x9c\xda]", "it is a pickle of a scikit-learn estimator",
        'in Python: onnx.save(skl2onnx.to_onnx(estimator, X[:1]), "model.onnx")',
        proof=pickles(rb"sklearn|imblearn")),
    row(rb"\x80|x[\x01\x5e\x9c\xda]", "it is a pickle of a model of boosted trees",
        "onnxmltools converts the model to ONNX, in Python", proof=pickles(rb"xgboost|lightgbm|catboost")),
    row(rb"\x80|x[\x01\x5e\x9c\xda]", "it is a pickle that joblib wrote",
        "load it in Python, and save the model in it in its framework's own form",
        proof=pickles(rb"joblib"), always=False),
    row(rb"tree\nversion=v", "it is a LightGBM model",
        "onnxmltools.convert_lightgbm converts it to ONNX, in Python"),
    row(rb"CBM1", "it is a CatBoost model", 'in Python: model.save_model("model.onnx", format="onnx")'),
    row(rb"\s*\{\s*\"learner\"|\{L.{8}.{1,8}learner", "it is an XGBoost model",
        "onnxmltools.convert_xgboost converts it to ONNX, in Python"),
    row(rb"", "it is one tensor and no model: the test data of an ONNX model, or an initializer",
        "name the model.onnx that it belongs to; in Python: onnx.numpy_helper.to_array", proof=is_tensor),
    row(rb"", "it is a TFRecord file: examples to train with, and no model",
        "name the checkpoint or SavedModel that was trained", proof=is_record),
    row(rb"\s*\{(?=[^{]*\"class_name\")(?:[^{]*\"module\"\s*:\s*\"keras|[^{]*\"class_name\"\s*:\s*"
        rb"\"(?:Functional|Sequential|Model)\")",
        "it is what model.to_json() of Keras wrote: the layers, without weights",
        'in Python: m = keras.models.model_from_json(open("FILE").read()); m.load_weights(WEIGHTS); '
        'm.save("model.keras")', always=False),
    row(rb"\s*\{(?=.{0,200}\"format\"\s*:\s*\"(?:layers|graph)-model\")|\s*\{\s*\"modelTopology\"",
        "it is a TensorFlow.js model", "tensorflowjs_converter --input_format tfjs_layers_model "
        "--output_format keras FILE model.h5", always=False),
    row(rb"\s*\{\s*\"nodes\"\s*:", "it is the graph of an MXNet model", _MXNET, always=False),
    row(rb"\x12\x01\x00{14}", "it holds the parameters of an MXNet model", _MXNET),
    row(rb"\s*<(?:\?xml[^>]*>\s*<)?PMML", "it is a PMML model", "name the model that it was made from"),
    row(rb"\s*(?:#[^\n]*\n\s*)*(?:name|input|layers?)\s*[:{].{0,3000}?\b(?:layers?|input_dim|input_shape)\s*[:{]",
        "it is the description of a Caffe network", "convert it and its .caffemodel together to ONNX",
        always=False),
    row(rb"\s*ir_version\s*:", "it is an ONNX model written as text",
        'in Python: onnx.save(onnx.load("FILE", format="textproto"), "model.onnx")'),
    row(rb"\s*<\s*ir_version", "it is an ONNX model written as text",
        'in Python: onnx.save(onnx.parser.parse_model(open("FILE").read()), "model.onnx")'),
    row(rb"\s*(?:node|meta_graphs|saved_model_schema_version)\s*[:{]",
        "it is a TensorFlow graph written as text",
        "in Python: google.protobuf.text_format.Parse reads it; write its SerializeToString() to a .pb file",
        always=False),
    row(rb"\x04\x00{3}\x01\x00{3}\x03\x00{3}V 1", "it is a file of Lua Torch (.t7)",
        "load it with torchfile in Python, and save the weights with torch.save"),
    row(rb"\s*\{\s*\"cells\"", "it is a notebook, not a model", "name the file that it saves"),
    row(MARK + rb"(?:#[^\n]*\n|\s)*(?:\"\"\"|import \w|from [\w.]+ import |def \w+\(|class \w+[(:])",
        "it is Python code, not a model", "name the model in it: package.module:attribute", always=False),
    row(rb"\x89PNG\r\n|\xff\xd8\xff|GIF8|RIFF.{4}(?:WEBP|WAVE)|%PDF-",
        "it is a picture, a sound or a document", "name a model's file"),
    row(rb"PAR1|SQLite format 3\x00", "it is a table of data, not a model", "name a model's file"),
    row(rb"\x7fELF|MZ\x90\x00|[\xfe\xcf\xce]?\xfa\xed\xfe", "it is a compiled program or library",
        "name the model that it was compiled from"),
)  # fmt: skip

#: Directories: the names in it, what it is, what the user can do.
PACKAGES: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"Manifest.json", "Data"}), "it is a Core ML package (.mlpackage)",
     f"it was made by coremltools, {_NO_WAY_BACK}"),
    (frozenset({"model.mil"}), "it is a compiled Core ML model (.mlmodelc)",
     f"it was made from an .mlpackage, {_NO_WAY_BACK}"),
    (frozenset({"coremldata.bin"}), "it is a compiled Core ML model (.mlmodelc)",
     f"it was made from an .mlmodel, {_NO_WAY_BACK}"),
)  # fmt: skip

#: The names of files that may be models, for those inside an archive.
MODELS = re.compile(r"\.(?:onnx|ort|keras|h5|hdf5|pth?|ckpt|pt2|safetensors|gguf|tflite|npz|msgpack|pb)$")
