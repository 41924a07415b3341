"""Whom to ask first: need foretold from the warehouse, within each practice's capacity, fair between groups (docs/outreach.md)."""
