"""The old place of `autograder.notebook.my_translator`."""

from ..notebook.my_translator import main

__all__ = ["main"]
