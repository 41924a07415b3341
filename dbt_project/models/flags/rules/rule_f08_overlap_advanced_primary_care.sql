-- F08: a service was paid in a month in which advanced primary care management, which includes it, was paid.
{{ rule_on_overlapping_lines(
    rule_id='F08',
    other_families=['APCM'],
    programme='advanced primary care management',
    of_ccm_only=false
) }}
