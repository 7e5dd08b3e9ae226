"""Benchmark of the released weights against other methods.

Label-free scores are kept apart from upper bounds that need ground truth.
"""
