"""The study `mnist`: a convolutional autoencoder against a dense one."""
