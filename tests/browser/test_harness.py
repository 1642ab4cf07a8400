"""What the harness must refuse, so that no test looks at another cell or page than it names."""

import pytest

from tests.browser.notebook_page import NotebookPage
from tests.browser.test_unit_02 import LEARNERS


def test_a_name_that_fits_no_cell_or_several_and_a_notebook_that_is_not_there_are_errors(
    notebook: NotebookPage,
) -> None:
    with pytest.raises(RuntimeError, match="in the page"):
        notebook.open("notebooks/missing.ipynb")
    notebook.open(LEARNERS)
    with pytest.raises(Exception, match="0 cells are named by: no such cell"):
        notebook.source("no such cell")
    with pytest.raises(Exception, match="5 cells are named by: stuck"):
        notebook.source("stuck? run")
    assert notebook.source("def softmax(") == notebook.source("softmax")
