"""Integration with MONAI Label, which runs in an environment of its own with numpy 1 and pydicom 2."""
