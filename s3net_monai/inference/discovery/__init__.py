"""Discovery of cases in files, DICOM series and archives, and protection of patient identifiers."""
