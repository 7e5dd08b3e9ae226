"""Studies from a DICOMweb server, and storage of their masks on it."""
