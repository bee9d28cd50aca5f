"""Denoising autoencoder for slices of MRI volumes."""
import keras
import numpy as np
from keras.layers import BatchNormalization, Conv2D, Input, MaxPooling2D, UpSampling2D
from keras.models import Model

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)


def load_nifti():
    """One volume as nibabel gives it: (64, 64, slices)."""
    x, y, z = np.mgrid[-1:1:64j, -1:1:64j, -1:1:26j]
    return ((x ** 2 + y ** 2 + 0.4 * z ** 2) < 0.7) * (500 + 60 * rng.normal(size=x.shape))


images = []
for f in range(2):
    a = load_nifti()
    a = a[:, :, 7:20]
    for i in range(a.shape[2]):
        images.append(a[:, :, i])

images = np.array(images)
images = images.reshape(-1, 64, 64, 1)
print(images.shape)
m, mi = np.max(images), np.min(images)
images = (images - mi) / (m - mi)

# room at two sides
temp = np.zeros([13 * 2, 67, 67, 1])
temp[:, 3:, 3:, :] = images
images = temp.astype("float32")

order = rng.permutation(len(images))
train_X, valid_X = images[order[:20]], images[order[20:]]
train_ground, valid_ground = train_X, valid_X
train_X = train_X + 0.05 * rng.normal(size=train_X.shape).astype("float32")

batch_size = 5
epochs = 1
inChannel = 1
x, y = train_X.shape[1:3]
input_img = Input(shape=(x, y, inChannel))


def autoencoder(input_img):
    # encoder
    conv1 = Conv2D(8, (3, 3), activation="relu", padding="same")(input_img)
    conv1 = BatchNormalization()(conv1)
    pool1 = MaxPooling2D(pool_size=(2, 2))(conv1)
    conv2 = Conv2D(12, (3, 3), activation="relu", padding="same")(pool1)
    conv2 = BatchNormalization()(conv2)
    pool2 = MaxPooling2D(pool_size=(2, 2))(conv2)
    conv3 = Conv2D(18, (3, 3), activation="relu", padding="same")(pool2)
    conv3 = BatchNormalization()(conv3)
    # decoder
    conv4 = Conv2D(12, (3, 3), activation="relu", padding="same")(conv3)
    conv4 = BatchNormalization()(conv4)
    up1 = UpSampling2D((2, 2))(conv4)
    conv5 = Conv2D(8, (3, 3), activation="relu", padding="same")(up1)
    conv5 = BatchNormalization()(conv5)
    up2 = UpSampling2D((2, 2))(conv5)
    return Conv2D(1, (3, 3), activation="sigmoid", padding="same")(up2)


model = Model(input_img, autoencoder(input_img))
model.compile(loss="mean_squared_error", optimizer=keras.optimizers.RMSprop())
history = model.fit(train_X, train_ground, batch_size=batch_size, epochs=epochs, verbose=0,
                    validation_data=(valid_X, valid_ground))
print("loss", history.history["loss"], history.history["val_loss"])
pred = model.predict(valid_X, verbose=0)
print("psnr", 10 * np.log10(1 / np.mean((pred - valid_ground) ** 2)))
