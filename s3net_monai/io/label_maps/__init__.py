"""Labels and masks from files of any format, and their place on the grid of an image."""
