# Converts a pipeline of scaler and logistic regression to ONNX and predicts with it.
import numpy as np
import onnxruntime as rt
from onnx import TensorProto, helper, numpy_helper


class StandardScaler:
    def fit(self, X):
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_) / self.scale_


class LogisticRegression:
    def __init__(self, lr=0.1, epochs=80):
        self.lr, self.epochs = lr, epochs

    def fit(self, X, y):
        n_classes = int(y.max()) + 1
        self.coef_, self.intercept_ = np.zeros((n_classes, X.shape[1])), np.zeros(n_classes)
        onehot = np.eye(n_classes)[y]
        for _ in range(self.epochs):
            z = X @ self.coef_.T + self.intercept_
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            self.coef_ -= self.lr * (p - onehot).T @ X / len(X)
            self.intercept_ -= self.lr * (p - onehot).mean(axis=0)
        return self


class FloatTensorType:
    def __init__(self, shape):
        self.shape = shape

    def value_info(self, name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shape)


def convert_sklearn(scaler, classifier, initial_types):
    name, tensor_type = initial_types[0]
    weights = {
        "mean": scaler.mean_, "scale": scaler.scale_,
        "coef": classifier.coef_.T, "intercept": classifier.intercept_,
    }
    nodes = [
        helper.make_node("Sub", [name, "mean"], ["centered"], name="Sc_Sub"),
        helper.make_node("Div", ["centered", "scale"], ["scaled"], name="Sc_Div"),
        helper.make_node("MatMul", ["scaled", "coef"], ["product"], name="Li_MatMul"),
        helper.make_node("Add", ["product", "intercept"], ["raw"], name="Li_Add"),
        helper.make_node("Softmax", ["raw"], ["probabilities"], axis=-1, name="Softmax"),
        helper.make_node("ArgMax", ["raw"], ["label"], axis=1, keepdims=0, name="ArgMax"),
    ]
    rows, classes = tensor_type.shape[0], len(classifier.intercept_)
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [rows]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [rows, classes]),
    ]
    initializers = [numpy_helper.from_array(v.astype("float32"), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "pipeline", [tensor_type.value_info(name)], outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def load_iris():
    rng = np.random.default_rng(0)
    centers = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    X = np.concatenate([c + 0.3 * rng.standard_normal((50, 4)) for c in centers])
    return X, np.repeat(np.arange(3), 50)


def train_test_split(X, y, test_size=0.25):
    order = np.random.default_rng(1).permutation(len(X))
    n = int(np.ceil(len(X) * test_size))
    return X[order[n:]], X[order[:n]], y[order[n:]], y[order[:n]]


X, y = load_iris()
X_train, X_test, y_train, y_test = train_test_split(X, y)
scaler = StandardScaler().fit(X_train)
clr = LogisticRegression().fit(scaler.transform(X_train), y_train)

initial_type = [("float_input", FloatTensorType([1, 4]))]
onx = convert_sklearn(scaler, clr, initial_types=initial_type)
with open("rf_iris.onnx", "wb") as f:
    f.write(onx.SerializeToString())

sess = rt.InferenceSession("rf_iris.onnx", providers=["CPUExecutionProvider"])
input_name = sess.get_inputs()[0].name
label_name = sess.get_outputs()[0].name
pred_onx = sess.run([label_name], {input_name: X_test.astype(np.float32)})[0]
print("accuracy", (pred_onx == y_test).mean())
