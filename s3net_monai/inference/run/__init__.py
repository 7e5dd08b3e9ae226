"""A run over many cases: reading ahead, the network, outputs, resume."""
