"""The compiled models against other implementations' idea of the same models."""
