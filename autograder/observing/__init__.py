"""Run a learner's code and write down plain values: one session, one clock, whoever asks. Knows no expected value.

`observe.sighting_of` observes in this process; `outside.observe_by` in another one, which `processes.WarmProcess`
gives; `sandbox` builds the walls around that.
"""
