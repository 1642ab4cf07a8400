"""The learner's desk: `check`, hints, parts, `my_transformer`, progress, preflight.

`checking.begin`, `check` and `hint`, `parts.use_part`, `progress.progress` and `preflight.preflight` are what notebooks call.
"""
