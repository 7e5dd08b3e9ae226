"""What MONAI Label loads from this package; it lives in an environment of its own, with numpy 1 and pydicom 2."""
