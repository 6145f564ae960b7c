"""report.xlsx and sample.xlsx: work papers."""
