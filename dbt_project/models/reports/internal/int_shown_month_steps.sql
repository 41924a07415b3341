-- Which steps of the last month's funnel may be shown.
{{ show_chain(ref('int_month_steps'), 3, ref('int_shown_month_steps_2')) }}
