"""Files → chunks of columns with file and record numbers."""
