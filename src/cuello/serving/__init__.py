"""Networks as a service: images come by HTTP, and results go back, as `cuello apply` makes them."""
