"""Label pictures, against colors and means worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapeinspect import UsageError, label_image

#: The first colors of the PASCAL VOC palette, as its page prints them.
VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]


def test_labels_and_scores_give_the_same_picture() -> None:
    labels = np.array([[0, 1, 2], [6, 5, 4]])
    scores = np.zeros((7, 2, 3), np.float32)
    for row, column in np.ndindex(2, 3):
        scores[labels[row, column], row, column] = 1.5
    picture = label_image(labels)
    assert picture.shape == (2, 3, 3)
    assert picture.dtype == np.uint8
    assert [[tuple(pixel) for pixel in row] for row in picture.tolist()] == [
        [VOC[0], VOC[1], VOC[2]],
        [VOC[6], VOC[5], VOC[4]],
    ]
    for same in (scores, scores[None], torch.tensor(scores, requires_grad=True), torch.tensor(labels)[None]):
        assert np.array_equal(label_image(same), picture)
    assert label_image(np.array([[255]])).tolist() == [[[224, 224, 192]]]  # "void", the palette's last


def test_an_overlay_is_the_weighted_mean() -> None:
    labels = np.array([[0, 1]])
    palette = [(10, 20, 30), (200, 100, 0)]
    image = np.array([[[100, 100, 100], [0, 40, 80]]], np.uint8)
    # a quarter of the color, three quarters of the image
    expected = [[[78, 80, 82], [50, 55, 60]]]
    assert label_image(labels, palette, image, alpha=0.25).tolist() == expected
    assert label_image(labels, palette, image.transpose(2, 0, 1), alpha=0.25).tolist() == expected
    floats = torch.tensor(image.transpose(2, 0, 1) / 255.0)
    assert label_image(labels, palette, floats, alpha=0.25).tolist() == expected
    gray = label_image(labels, palette, np.zeros((1, 2)), alpha=0.5)
    assert gray.tolist() == [[[5, 10, 15], [100, 50, 0]]]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="neither class scores nor labels"):
        label_image(np.zeros((4, 5)))
    with pytest.raises(UsageError, match="neither class scores nor labels"):
        label_image(np.zeros((2, 3, 4, 5)))
    with pytest.raises(UsageError, match="outside the palette") as refused:
        label_image(np.array([[0, 3]]), [(0, 0, 0), (1, 1, 1)])
    assert refused.value.got == "labels from 0 to 3"
    with pytest.raises(UsageError, match="does not match the labels") as refused:
        label_image(np.array([[0, 1]]), image=np.zeros((3, 5, 7)))
    assert refused.value.expected == "(1, 2), (1, 2, 3) or (3, 1, 2)"
    with pytest.raises(UsageError, match="invalid alpha"):
        label_image(np.array([[0]]), image=np.zeros((1, 1)), alpha=2)
    with pytest.raises(UsageError, match="invalid palette"):
        label_image(np.array([[0]]), [(1, 2)])
