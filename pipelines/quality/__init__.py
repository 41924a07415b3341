"""Checks of a run that need more than one table's expectations: volumes against history, code sets against data."""
