"""Integration with MONAI Deploy, which runs in an environment of its own with NVIDIA Holoscan."""
