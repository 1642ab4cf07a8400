"""The command line, one module a command. Each has `add(subparsers)`; `run` functions return the exit status."""
