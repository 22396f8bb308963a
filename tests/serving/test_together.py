"""Small images that come at once go through a network together, and nobody can tell by the results."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from cuello.serving.together import Abandoned, Call, Ticket, Together


class Watched:
    """A network that notes how many images it was given at once. change: what else it does to them."""

    def __init__(self, change: Callable[[Tensor], Tensor] = lambda x: x):
        self.seen: list[int] = []
        self.change = change

    def __call__(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return self.change(x * 2)


class Plug:
    """A network that keeps the thread busy until it is let go."""

    def __init__(self, together: Together):
        self.free = threading.Event()
        together.calls.put(Call(self, torch.zeros(1, 1, 999, 999), None, ticket=None))

    def __call__(self, x: Tensor) -> Tensor:
        assert self.free.wait(30)
        return x


@pytest.fixture
def together() -> Iterator[Together]:
    one = Together(1)
    one.start()
    yield one
    one.close()


def at_once(together: Together, network: Any, images: list[Tensor], tickets: list[Ticket] | None = None) -> list[Any]:
    """Ask for all images while the thread is busy; give what each got, or its error."""
    plug, tickets = Plug(together), tickets or [Ticket() for _ in images]

    def ask(image: Tensor, ticket: Ticket) -> Any:
        try:
            with together.request(ticket):
                return together.run(network, image, None)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(images)) as threads:
        asked = [threads.submit(ask, image, ticket) for image, ticket in zip(images, tickets, strict=True)]
        while together.calls.qsize() < len(images):
            threading.Event().wait(0.001)
        plug.free.set()
        return [one.result() for one in asked]


def drawn(count: int, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, *shape, generator=generator) for _ in range(count)]


def test_the_first_time_it_is_seen_whether_together_is_the_same_and_then_it_is_done(together: Together) -> None:
    network, images = Watched(), drawn(3, 1, 8, 8)
    for seen in ([3, 1, 1, 1], [3], [3]):
        network.seen.clear()
        found = at_once(together, network, images)
        assert all(torch.equal(one, 2 * image) for one, image in zip(found, images, strict=True))
        assert network.seen == seen


def test_a_network_that_gives_other_bits_together_is_never_asked_so(together: Together) -> None:
    network, images = Watched(lambda x: x + 1e-7 * (len(x) > 1)), drawn(3, 1, 8, 8)
    for seen in ([3, 1, 1, 1], [1, 1, 1]):
        network.seen.clear()
        found = at_once(together, network, images)
        assert all(torch.equal(one, 2 * image) for one, image in zip(found, images, strict=True))
        assert network.seen == seen


@pytest.mark.parametrize("shapes", [((1, 8, 8), (1, 8, 9)), ((1, 130, 130), (1, 130, 130)), ((1, 8, 8), (3, 8, 8))])
def test_other_sizes_and_large_images_go_alone(together: Together, shapes: tuple[tuple[int, ...], ...]) -> None:
    network, images = Watched(), [drawn(1, *shape)[0] for shape in shapes]
    found = at_once(together, network, images)
    assert all(torch.equal(one, 2 * image) for one, image in zip(found, images, strict=True))
    assert network.seen == [1, 1]


def test_no_more_than_eight(together: Together) -> None:
    network, images = Watched(), drawn(11, 1, 4, 4)
    at_once(together, network, images)
    assert max(network.seen) == 8


def test_the_mistake_of_one_is_its_own(together: Together) -> None:
    def picky(x: Tensor) -> Tensor:
        if bool((x > 10).any()):
            raise ValueError("too bright")
        return x

    images = drawn(3, 1, 8, 8)
    images[1] = images[1] + 100
    first, second, third = at_once(together, Watched(picky), images)
    assert torch.equal(first, 2 * images[0])
    assert torch.equal(third, 2 * images[2])
    assert isinstance(second, ValueError)


def test_who_is_gone_is_not_worked_for(together: Together) -> None:
    network, images, tickets = Watched(), drawn(3, 1, 8, 8), [Ticket() for _ in range(3)]
    plug = Plug(together)
    with ThreadPoolExecutor(1) as threads:
        later = threads.submit(at_once, together, network, images, tickets)
        while together.calls.qsize() < 4:  # another plug, and three
            threading.Event().wait(0.001)
        tickets[1].gone.set()
        plug.free.set()
        first, second, _ = later.result()
    assert torch.equal(first, 2 * images[0])
    assert isinstance(second, Abandoned)
    assert max(network.seen) == 2
    with pytest.raises(Abandoned), together.request(tickets[1]):
        pass


def test_a_result_may_be_changed_in_its_place(together: Together) -> None:
    network, images = Watched(), drawn(2, 1, 8, 8)
    for _ in range(2):
        first, second = at_once(together, network, images)
        with torch.inference_mode():
            first.zero_()
        assert torch.equal(second, 2 * images[1])
