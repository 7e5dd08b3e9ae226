"""Datalists of images and labels for training and inference: loading, splitting, pooling and slicing."""
