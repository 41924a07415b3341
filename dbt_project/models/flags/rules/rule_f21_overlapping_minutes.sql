-- F21: a bill stands only with minutes that overlap an earlier entry of the same worker.
{{ rule_on_borrowed_minutes(
    rule_id='F21',
    reason='overlapping',
    required='minutes enough without those that overlap an earlier entry',
    needs_clock=true
) }}
