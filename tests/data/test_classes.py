"""Labels as positions in a list of names, and why there are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.classes import aligned, classified
from cuello.data.images import Images, load_images
from cuello.data.sources import array_source, folder_source

PIXELS = np.zeros((4, 4, 1), np.uint8)


def labelled(labels, names=None) -> Images:
    labels = np.array(labels)
    return Images("some", [PIXELS] * len(labels), [str(k) for k in range(len(labels))], labels, label_names=names)


def folder(root: Path, *files: str) -> Images:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[..., 0]).save(root / file)
    return load_images(folder_source(root))


def test_classes_are_those_that_occur_in_their_order():
    found = classified(labelled([9, 2, 9, 4]))
    assert (np.asarray(found.labels).tolist(), found.label_names) == ([2, 0, 2, 1], ["2", "4", "9"])
    assert np.asarray(found.labels).dtype == np.int64
    named = classified(labelled([2, 0], ["cat", "cow", "dog"]))
    assert (np.asarray(named.labels).tolist(), named.label_names) == ([1, 0], ["cat", "dog"])


def test_folders_are_classes(tmp_path):
    found = classified(folder(tmp_path, "dog/a.png", "cat/a.png", "cat/deep/b.png"))
    assert found.labels is not None
    assert list(found.names) == ["cat/a.png", "cat/deep/b.png", "dog/a.png"]
    assert found.labels.tolist() == [0, 0, 1]
    assert found.label_names == ["cat", "dog"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["train/a/1.png", "train/b/1.png", "test/1.png"],
            r"divided by .* within these, e\.g\. test/1\.png",
        ),
        (["train/a/1.png", "val/a/1.png"], r"divided by its folders .* two or more, within these"),
        (["cat/a.png", "cat/b.png"], r"one class only, cat; needed two or more\. Put the images .* name .*/cat\."),
        (["cat/a.png", "dog/b.png", "c.png"], r"1 of the 3 images of .* lie beside its subfolders \(c\.png\)"),
        (["a.png", "b.png"], r"images without labels; a classifier needs them\. Put the images of each class"),
    ],
)
def test_folders_that_are_no_classes_are_refused_with_the_reason(tmp_path, files, message):
    with pytest.raises(CuelloError, match=message):
        classified(folder(tmp_path, *files))


def test_arrays_without_labels_or_with_one_class_are_refused():
    images = np.zeros((3, 4, 4), np.uint8)
    with pytest.raises(CuelloError, match="array has images without labels"):
        classified(load_images(array_source(images)))
    with pytest.raises(CuelloError, match="one class only, 7"):
        classified(load_images(array_source(images, np.array([7, 7, 7]))))


def test_other_images_get_the_labels_of_the_classifier():
    found = aligned(labelled([1, 0, 1], ["dog", "cat"]), ["bird", "cat", "dog"])
    assert np.asarray(found.labels).tolist() == [1, 2, 1]
    with pytest.raises(CuelloError, match=r"2 images of the class 'cats', which this .* Did you mean 'cat'"):
        aligned(labelled([1, 0, 1], ["dog", "cats"]), ["bird", "cat", "dog"])
    with pytest.raises(CuelloError, match="without labels"):
        aligned(Images("some", [PIXELS], ["a"]), ["bird", "cat"])
