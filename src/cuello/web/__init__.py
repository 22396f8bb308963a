"""The local web page: it shows what is in run directories, and does what it does by commands of `cuello`."""
