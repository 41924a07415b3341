-- F20: a bill stands only with minutes whose worker and clock time another record claims as well.
{{ rule_on_borrowed_minutes(
    rule_id='F20',
    reason='used_twice',
    required='minutes enough without those claimed twice',
    needs_clock=true
) }}
