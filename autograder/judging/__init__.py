"""Judge what was observed: probes, comparison, diagnosis, verdict, and how a verdict is shown. Runs no learner's code."""
