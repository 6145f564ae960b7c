"""Measures the auditor beside hand-written SQL, pandas and bare reading: whole processes, equal findings, one sitting."""
