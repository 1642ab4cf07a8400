"""The author's side: parse a lesson, work out its cases, build, verify."""
