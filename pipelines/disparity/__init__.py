"""Measures of reach by group: intervals, standardisation, gaps, decompositions, and what of them may be published.

Belongs here: statistics over counts and the disclosure control of counts released together. Does not belong here: what is
counted, which `dbt_project/models/marts/disparity` defines.
"""
