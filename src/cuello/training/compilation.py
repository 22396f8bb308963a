"""torch.compile, with its failures in the user's terms."""

import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.training.steps import Forward


def compiled(network: nn.Module) -> Forward:
    """Return the network compiled by torch; CuelloError, at its first use, where this machine cannot.

    torch.compile itself only promises: the compiler is called by the first forward pass, and by the first with
    images of another size.
    """
    refusals = compiler_errors()
    try:
        fast = torch.compile(network)
    except RuntimeError as error:
        raise cannot_compile(error) from error

    def forward(x: Tensor, condition: Tensor | None = None) -> Output | Tensor:
        try:
            return fast(x, condition)
        except refusals as error:
            raise cannot_compile(error) from error

    return forward


def compiler_errors() -> tuple[type[Exception], ...]:
    """Return what torch raises where a network cannot be compiled."""
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

    return TorchDynamoException, CppCompileError, InvalidCxxCompiler


def cannot_compile(error: Exception) -> CuelloError:
    """Say in one sentence why a network was not compiled, and what to do."""
    why = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return CuelloError(
        f"the network could not be compiled ({why}). torch.compile needs a C++ compiler such as g++ or clang: install "
        "one, or leave out --compile=True."
    )
