import torch
from torch import nn

from cuello.saliency.boxes import make_boxes
from cuello.saliency.copies import LAYER_BYTES, MOST_BATCH, OccludedCopies, as_classifier, batch_for, largest_layer


def test_the_largest_layer_is_found() -> None:
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.Sequential(nn.MaxPool2d(2), nn.Flatten()))
    assert largest_layer(as_classifier(network), torch.rand(1, 1, 8, 8)) == 5 * 36
    assert not any(module._forward_hooks for module in network.modules())
    assert largest_layer(as_classifier(lambda x: x), torch.rand(1, 1, 8, 8)) == 32 * 64


def test_batches_fill_the_cache_and_no_more() -> None:
    network = nn.Sequential(nn.Conv2d(1, 8, 1), nn.Flatten())
    assert batch_for(as_classifier(network), torch.rand(1, 1, 256, 256)) == LAYER_BYTES // (8 * 256 * 256 * 4)
    assert batch_for(as_classifier(network), torch.rand(1, 1, 2, 2)) == MOST_BATCH
    assert batch_for(as_classifier(network), torch.rand(1, 1, 1024, 1024)) == 1


def test_copies_show_the_fill_under_their_box_only() -> None:
    images, fills = torch.zeros(2, 2, 3, 3), torch.ones(2, 2, 3, 3)
    plain = OccludedCopies(as_classifier(lambda x: x.flatten(1)), make_boxes((3, 3), 2, 1), True, 4)
    copy = plain.copies(images, fills, torch.tensor([1 * 8 + 3 * 2 + 1]))[0]  # second image, last box, second channel
    assert copy[0].sum() == 0
    assert copy[1].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]
    found = plain.outputs(images, fills, lambda count: None)
    assert found.shape == (2, 2, 2, 2, 18)
    assert found.sum() == 2 * 8 * 4
