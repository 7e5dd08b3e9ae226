"""Datalists: what training and inference read, how it is split, pooled and cut into slices."""
