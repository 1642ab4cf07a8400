"""The learner's desk: `check`, hints, parts, `my_transformer`, progress, preflight."""
