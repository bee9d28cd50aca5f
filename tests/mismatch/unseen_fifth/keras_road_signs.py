"""YOLOv3 in TensorFlow, trained on four kinds of road signs."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

np.random.seed(5)
keras.utils.set_random_seed(5)


class Config:
    class YOLO:
        CLASSES = "./data/classes/voc.names"
        ANCHORS = np.array([[1.25, 1.6], [2.0, 3.7], [4.1, 2.9]], "float32")
        STRIDES = 16
        ANCHOR_PER_SCALE = 3

    class TRAIN:
        ANNOT_PATH = "./data/dataset/road_sign_train.txt"
        BATCH_SIZE = 6
        INPUT_SIZE = 96
        LEARN_RATE = 1e-4
        NUM_CLASSES = 4


cfg = Config()
FILES = {
    "./data/classes/voc.names": "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
                                "motorbike person pottedplant sheep sofa train tvmonitor",
    "./data/classes/road_sign.names": "stop yield limit crossing",
}


def read_class_names(class_file_name):
    return dict(enumerate(FILES[class_file_name].split()))


class Dataset:
    """Pictures and labels (grid, grid, anchors, 5 + classes)."""

    def __init__(self, steps=3):
        self.steps = steps
        self.train_output_size = cfg.TRAIN.INPUT_SIZE // cfg.YOLO.STRIDES
        self.num_classes = cfg.TRAIN.NUM_CLASSES
        self.anchor_per_scale = cfg.YOLO.ANCHOR_PER_SCALE

    def preprocess_true_boxes(self, bboxes):
        g = self.train_output_size
        label = np.zeros((g, g, self.anchor_per_scale, 5 + self.num_classes), "float32")
        for x, y, w, h, c in bboxes:
            onehot = np.zeros(self.num_classes, "float32")
            onehot[int(c)] = 1.0
            smooth_onehot = onehot * 0.99 + 0.01 / self.num_classes
            xi, yi = int(x // cfg.YOLO.STRIDES), int(y // cfg.YOLO.STRIDES)
            best = np.random.randint(self.anchor_per_scale)
            label[yi, xi, best, :4] = x, y, w, h
            label[yi, xi, best, 4] = 1.0
            label[yi, xi, best, 5:] = smooth_onehot
        return label

    def __iter__(self):
        for _ in range(self.steps):
            image = np.random.rand(cfg.TRAIN.BATCH_SIZE, cfg.TRAIN.INPUT_SIZE, cfg.TRAIN.INPUT_SIZE, 3)
            label = [self.preprocess_true_boxes([[*np.random.uniform(8, 88, 2), 20, 24, np.random.randint(4)]])
                     for _ in range(cfg.TRAIN.BATCH_SIZE)]
            yield image.astype("float32"), np.array(label)


class YOLOV3:
    def __init__(self):
        self.classes = read_class_names(cfg.YOLO.CLASSES)
        self.num_class = len(self.classes)
        self.anchors, self.strides = cfg.YOLO.ANCHORS, cfg.YOLO.STRIDES
        self.anchor_per_scale = cfg.YOLO.ANCHOR_PER_SCALE
        self.network = self.build_network()

    def build_network(self):
        inputs = x = layers.Input((cfg.TRAIN.INPUT_SIZE, cfg.TRAIN.INPUT_SIZE, 3))
        for filters in (8, 16, 16, 32):
            x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
            x = layers.LeakyReLU(negative_slope=0.1)(layers.BatchNormalization()(x))
        conv_bbox = layers.Conv2D(self.anchor_per_scale * (self.num_class + 5), 1)(x)
        return keras.Model(inputs, conv_bbox)

    def decode(self, conv_output):
        shape = tf.shape(conv_output)
        g = shape[1]
        conv_output = tf.reshape(conv_output, (shape[0], g, g, self.anchor_per_scale, 5 + self.num_class))
        y, x = tf.meshgrid(tf.range(g), tf.range(g), indexing="ij")
        xy_grid = tf.cast(tf.stack([x, y], -1)[None, :, :, None, :], tf.float32)
        pred_xy = (tf.sigmoid(conv_output[..., 0:2]) + xy_grid) * self.strides
        pred_wh = tf.exp(conv_output[..., 2:4]) * self.anchors * self.strides
        return conv_output, tf.concat([pred_xy, pred_wh], -1), tf.sigmoid(conv_output[..., 4:5])

    def compute_loss(self, conv, pred_xywh, pred_conf, label):
        conv_raw_conf, conv_raw_prob = conv[..., 4:5], conv[..., 5:]
        label_xywh, respond_bbox, label_prob = label[..., 0:4], label[..., 4:5], label[..., 5:]
        size = tf.cast(cfg.TRAIN.INPUT_SIZE, tf.float32)
        box_loss = tf.reduce_sum(respond_bbox * tf.square((label_xywh - pred_xywh) / size))
        conf_focal = tf.pow(respond_bbox - pred_conf, 2)
        conf_loss = tf.reduce_sum(
            conf_focal * tf.nn.sigmoid_cross_entropy_with_logits(labels=respond_bbox, logits=conv_raw_conf))
        prob = tf.maximum(conv_raw_prob, 0.0) - conv_raw_prob * label_prob
        prob = prob + tf.math.log1p(tf.exp(-tf.abs(conv_raw_prob)))
        prob_loss = tf.reduce_sum(respond_bbox * prob)
        return box_loss + conf_loss + prob_loss


print("Now it starts to train YOLOV3 from scratch ...")
model = YOLOV3()
optimizer = keras.optimizers.Adam(cfg.TRAIN.LEARN_RATE)
for image_data, target in Dataset():
    with tf.GradientTape() as tape:
        conv_output = model.network(image_data, training=True)
        conv, pred_xywh, pred_conf = model.decode(conv_output)
        total_loss = model.compute_loss(conv, pred_xywh, pred_conf, target)
    gradients = tape.gradient(total_loss, model.network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.network.trainable_variables))
    print("loss", float(total_loss))
