"""What every room may use and that knows nothing of images: errors, atomic writes, locks, one-line messages."""
