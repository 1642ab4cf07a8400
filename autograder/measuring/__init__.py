"""What a machine can do with the whole course: the parts of `python -m autograder gpu-report`, each in a process of its own."""
