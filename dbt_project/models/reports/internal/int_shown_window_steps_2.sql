-- Which steps of ranks 1 and 2 of the whole run's funnel may be shown.
{{ show_chain(ref('int_window_steps'), 2, ref('int_shown_window_steps_1')) }}
