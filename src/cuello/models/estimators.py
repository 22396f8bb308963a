"""An estimator for a given classifier: its architecture, and the classifier's weights in it."""

import pydantic
from torch import nn

from cuello.core.errors import CuelloError
from cuello.models.autoencoder.names import problem_of
from cuello.models.base import ImageNetwork
from cuello.models.catalog import KINDS, Architecture, build
from cuello.models.classifier import ClassifierConfig
from cuello.models.estimator import Encoder, Estimator, Told, copy_convolutions
from cuello.models.feature_estimator import FeatureEstimator, copy_classifier
from cuello.models.named import NETWORKS


def estimator_of(
    name: str,
    classifier: Architecture,
    size: tuple[int, int] | None = None,
    encoder: Encoder | None = None,
    condition: Told | None = None,
) -> Architecture:
    """Return the architecture of a named estimator of the occlusion maps of a classifier.

    classifier: of kind "classifier". Those with ``encoder`` and ``condition`` mirror its convolutions; both settings
    are the name's own where none is given. size: height and width of the images, needed by them where the
    classifier takes any size. Raises CuelloError where the network is no estimator, or does not fit.

    >>> from cuello.models.catalog import architecture_of
    >>> hits = architecture_of("classify-hits", 1)
    >>> estimator_of("explain-hits", hits, encoder="frozen").settings["encoder"]
    'frozen'
    """
    spec = NETWORKS[name]
    kind = KINDS[spec.kind]
    if not kind.explains:
        known = ", ".join(other.name for other in NETWORKS if KINDS[other.kind].explains)
        raise CuelloError(f"the network {name!r} does not estimate occlusion maps. Those that do: {known}.")
    if classifier.kind != "classifier":
        raise CuelloError(
            f"got a network of kind {classifier.kind!r}, needed one of Cuello's classifiers: an estimator has their "
            "layers within. Exact maps are made of any: cuello explain CLASSIFIER IMAGES"
        )
    theirs = ClassifierConfig.model_validate(dict(classifier.settings))
    settings = {**spec.settings, "channels": theirs.channels, "classes": theirs.classes}
    if kind.config.model_fields.get("classifier"):
        if encoder or condition:
            raise CuelloError(f"encoder and condition are not settings of {name!r}, which has the classifier within.")
        settings |= {"classifier": theirs.model_dump(mode="json")}
    else:
        fixed = None if theirs.pooling == "global" else (theirs.height, theirs.width)
        if size and fixed and size != fixed:
            raise CuelloError(f"got images of {size[1]}×{size[0]} pixels, the classifier takes {fixed[1]}×{fixed[0]}.")
        if not (size or fixed):
            raise CuelloError(
                f"the network {name!r} is made for images of one size, the classifier for any: give size."
            )
        height, width = size or fixed or (0, 0)
        settings |= {"height": height, "width": width, "stages": theirs.stages, "first": theirs.first}
        settings |= {"activation": theirs.activation}
        settings |= {key: value for key, value in (("encoder", encoder), ("condition", condition)) if value}
    try:
        config = kind.config.model_validate(settings)
    except pydantic.ValidationError as error:
        raise CuelloError(f"the network {name!r} does not fit: {problem_of(error.errors()[0])}.") from None
    return Architecture(name, spec.kind, config.model_dump(mode="json"))


def with_classifier(network: ImageNetwork, classifier: nn.Module) -> ImageNetwork:
    """Put a classifier's weights where an estimator wants them, and return it; CuelloError where they do not fit.

    The encoder of one with ``encoder`` "frozen" or "fine-tuned" becomes the classifier's; "normal" is left alone.
    """
    if isinstance(network, FeatureEstimator):
        copy_classifier(network, classifier)
    elif isinstance(network, Estimator):
        if network.config.encoder != "normal":
            copy_convolutions(network, classifier)
    else:
        raise CuelloError(f"got a {type(network).__name__}, needed an estimator of occlusion maps.")
    return network


def build_estimator(architecture: Architecture, classifier: nn.Module) -> ImageNetwork:
    """Make an estimator with fresh weights from torch's default generator, and the classifier's where it wants them."""
    return with_classifier(build(architecture), classifier)
