-- Lines of final-action claims; denied lines are kept and marked.
{{ claim_lines_of('claims.is_final') }}
