"""Grade what learners hand in, decided where their code cannot reach.

What is promised (on Linux with the sandbox, which `python -m autograder doctor` reports on)

- A value cannot be forged. A submission runs in a process that is given source and inputs and sends back plain
  values. What is expected, the hidden cases' answers, the variants, the reference and the gradebook are in other
  processes, and the verdict is made there. Nothing that a submission replaces in its own process, the code that
  observes it included, changes how its values are judged.
- Facts that only the submission's process can tell (a forbidden operator was used, an argument was changed, time
  ran out) may take points away and never give them.
- Every submission gets a record with a reason. One that hangs, crashes, floods or is broken costs its own points
  only: a cell that hangs or ends its process is left out, and what else is there is graded; a process that ended
  before it ran anything of the submission is tried again, and never a reason for a zero.
- One seed, one grade: hidden cases, hash seed and random generators begin at the same place in each process.

What is not promised

- That points were earned by the way the lesson asks for. A submission that switches the watch off in its own process
  can compute right values with a forbidden operator, or with the library-backed parts, which it can import. The
  record names what gives such code away (`its code names autograder.library: have a look`); it decides nothing.
- That visible points say more than that the visible answers were known: they lie in `cases.npz` beside the notebook.
  Hidden cases are there for that.
- Inputs of hidden cases are seen by the submission that runs on them. It has nowhere to send them, except into its
  own outputs on its own feedback page: grade again with `--force`, and they are drawn anew.
- Anything at all with `--isolation none`: a submission then has the rights of whoever grades.
"""

import sys

# jsonschema, which nbformat imports, imports this one for a check of addresses that nobody asks for; it builds its
# grammars for a second, in each process. `None` reads as "not installed", and jsonschema then does without.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
