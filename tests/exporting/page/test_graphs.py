"""Networks as the graphs of a page: ONNX Runtime's results are torch's."""

import pytest
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.exporting.graph import Graph
from cuello.exporting.page.export import plan
from cuello.inference.model import Model
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact

KINDS = {
    "conv-8-16-8": {"image"}, "impulse-s": {"image"}, "unet-s": {"image"}, "dncnn-s": {"image"}, "denoise-s": {"image"},
    "up-s": {"image"}, "espcn": {"image"}, "fsrcnn": {"image"}, "mnist-conv": {"encoder", "decoder"},
    "mlp-20-2": {"encoder", "decoder"}, "conv-vae-16": {"encoder", "decoder"}, "vq-c32-c16": {"encoder", "decoder"},
    "fsq-c32-c4": {"encoder", "decoder"},
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_network_can_be_written(name: str) -> None:
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    architecture = architecture_of(name, 1)
    network = build(architecture).eval()
    about = Artefact(architecture, "denoise", "gaussian:25", network.state_dict(), {})
    facts, graphs = plan(Model(about, network.folded().eval()))
    assert set(graphs) == KINDS[name]
    assert facts.kind == ("image" if "image" in graphs else "codes")
    for graph in graphs.values():
        assert len(graph.written()) > 1000  # it checks itself


class Branching(nn.Module):
    """Doubles bright images, which a trace does not see."""

    def forward(self, image: Tensor) -> Tensor:
        return image * 2 if image.sum() > 100 else image


def test_other_results_than_torch_are_refused() -> None:
    pytest.importorskip("onnxruntime")
    graph = Graph(Branching(), {"image": torch.full((1, 1, 8, 8), 0.5)}, {"image": (0, 2, 3)})
    with pytest.raises(CuelloError, match=r"other results as ONNX: 0\.5 of white apart"):
        graph.written()
