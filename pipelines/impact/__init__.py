"""Evaluation of what CCM does: cohort, comparison, weights, estimators and diagnostics, run from a protocol file.

Belongs here: everything that a study decides (index months, weights, estimates, how a report is written). Does not belong here: what
an outcome, an exposure or a code is, which the marts of `dbt_project/models/marts/impact` decide.
"""
