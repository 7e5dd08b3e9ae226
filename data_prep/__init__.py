"""Preparation of public data sets as MONAI datalists, and synthetic phantoms with exact ground truth."""
