"""The author's side: parse a lesson, work out its cases, build, verify."""

import sys

# As in `grading`: jsonschema, which nbformat imports, would have this one build 38 grammars that nobody asks for.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
