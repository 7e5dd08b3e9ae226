"""The toy bundle of the benchmark of faults, for the tests."""

from benchmarks.faults.toy_bundle import toy_bundle

__all__ = ["toy_bundle"]
