"""What the notebooks stand on: a run's publishable tables, tables and figures that keep hidden numbers hidden, and their execution.

Belongs here: opening, showing, executing and exporting. Does not belong here: what a notebook asks, which `notebooks/` holds, and
what may be shown, which is decided before a table is publishable.
"""
