-- Which steps of the whole run's funnel may be shown.
{{ show_chain(ref('int_window_steps'), 3, ref('int_shown_window_steps_2')) }}
