"""``python -m benchmarks speed``: time and memory of this build, the build before, and other software, in one run."""
