"""Inputs, oracles and servers that several test rooms use."""
