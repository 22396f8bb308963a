"""The package's version, which runs and artefacts note down."""

VERSION = "0.1.0"
