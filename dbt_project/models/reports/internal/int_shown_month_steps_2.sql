-- Which steps of ranks 1 and 2 of the last month's funnel may be shown.
{{ show_chain(ref('int_month_steps'), 2, ref('int_shown_month_steps_1')) }}
