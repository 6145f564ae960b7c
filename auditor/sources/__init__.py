"""Sources that are neither CSV nor Parquet → rows that the rest of the program reads as it reads Parquet."""
