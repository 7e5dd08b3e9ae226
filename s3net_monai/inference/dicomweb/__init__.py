"""Studies from a DICOMweb server, and masks back to it."""
