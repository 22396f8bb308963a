"""What a service counts, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts of one service; two in a process do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("cuello_requests", "Requests answered", ["model", "status"], registry=own)
        self.seconds = Histogram(
            "cuello_request_seconds", "Seconds from a request's first byte to the answer's end", ["model"],
            buckets=SECONDS, registry=own,
        )  # fmt: skip
        self.pixels = Counter("cuello_pixels", "Pixels of images that were worked on", ["model"], registry=own)
        self.pending = Gauge("cuello_queue", "Requests that are read, waiting or worked on", registry=own)
        self.working = Gauge("cuello_working", "Images that are worked on", registry=own)
        self.together = Histogram(
            "cuello_images_together", "Images that went through a network together", buckets=(1, 2, 4, 8), registry=own
        )

    def text(self) -> bytes:
        """Write everything in Prometheus's text format."""
        return generate_latest(self.registry)
