"""Charts as inline SVG: no script, no font and no request when a page is opened.

Every function takes rows of a report table, leaves hidden cells out, and returns "" when nothing can be drawn. Axes carry units,
estimates their intervals, and groups differ in shape or lightness as well as in hue. A table with the same figures, and the same
figures as CSV, always stand beside a chart.
"""
