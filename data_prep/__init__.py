"""Public data sets in, MONAI datalists out; synthetic phantoms with exact truth."""
