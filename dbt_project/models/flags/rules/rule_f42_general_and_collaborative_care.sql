-- F42: codes of behavioural care that exclude each other were paid to one practitioner for a person and month.
{{ rule_on_exclusive_codes(
    rule_id='F42',
    conflict_group='behavioural',
    pairs=ref('exclusive_codes')
) }}
