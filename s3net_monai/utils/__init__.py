"""Helpers for all packages that know nothing of images: errors, atomic writes, locks, messages, signals."""
