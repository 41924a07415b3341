-- F41: codes of remote monitoring that exclude each other were paid to one practitioner for a person and month.
{{ rule_on_exclusive_codes(
    rule_id='F41',
    conflict_group='remote_monitoring',
    pairs=ref('exclusive_codes')
) }}
