"""Run a learner's code and write down plain values: one session, one clock, whoever asks. Knows no expected value."""
