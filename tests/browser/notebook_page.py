"""Drives one notebook in a JupyterLab page: what a learner does, by the names that cells have.

A cell is named by its nbgrader grade id, or by a piece of text that only its source contains. Running and
editing go through JupyterLab's own commands and document model; the Validate button and its dialog are
clicked and read as drawn.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.lab_server import LabServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

START_MS = 90_000
RUN_MS = 240_000

# Finds one cell of the notebook on top; a name that fits no cell or several is an error in the test.
FIND_CELL = """
const panel = window.jupyterapp.shell.currentWidget;
const cells = [...panel.content.widgets];
const byGradeId = cells.filter(cell => (cell.model.getMetadata('nbgrader') || {}).grade_id === name);
const byText = cells.filter(cell => cell.model.sharedModel.getSource().includes(name));
const found = byGradeId.length ? byGradeId : byText;
if (found.length !== 1) throw new Error(`${found.length} cells are named by: ${name}`);
const cell = found[0];
"""


@dataclass(frozen=True)
class ValidationDialog:
    """What nbgrader's Validate button answered, as the dialog shows it."""

    title: str
    text: str

    @property
    def passed(self) -> bool:
        return self.text.startswith("Success! Your notebook passes all the tests.")


class NotebookPage:
    """One page of JupyterLab with one notebook open at a time."""

    def __init__(self, page: "Page", server: LabServer, pictures: Path) -> None:
        self.page = page
        self.server = server
        self.pictures = pictures

    def open(self, path: str) -> None:
        """Opens a notebook by its path below the course's root, and waits for its kernel.

        An earlier notebook of this page is left behind, with its kernel running, as a learner's would be.
        """
        self.page.goto(self.server.address("lab"))
        self.page.wait_for_function("window.jupyterapp && window.jupyterapp.restored", timeout=START_MS)
        self.page.evaluate("window.jupyterapp.restored.then(() => null)")
        self._wait_for(
            """async path => {
                const app = window.jupyterapp;
                const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
                await panel.context.ready;
                await panel.revealed;
                await panel.sessionContext.ready;
                app.shell.activateById(panel.id);
            }""",
            path,
            timeout=START_MS,
        )
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=START_MS,
        )

    def run_all(self) -> None:
        """Runs every cell and waits for the last. Like JupyterLab, it stops at the first cell that raises."""
        self._wait_for("() => window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => null)")

    def run(self, cell: str) -> None:
        """Runs one cell and waits until it is done."""
        self._wait_for(
            f"""async name => {{ {FIND_CELL}
                panel.content.activeCellIndex = cells.indexOf(cell);
                panel.content.deselectAll();
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }}""",
            cell,
        )

    def replace_source(self, cell: str, source: str) -> None:
        """Writes `source` in the place of everything in the cell."""
        self._on_cell(cell, "cell.model.sharedModel.setSource(argument)", source)

    def source(self, cell: str) -> str:
        return str(self._on_cell(cell, "cell.model.sharedModel.getSource()"))

    def output_text(self, cell: str) -> str:
        """The text of a cell's outputs as a reader sees it; "" where it has none."""
        return str(self._on_cell(cell, "cell.outputArea.node.innerText"))

    def result(self, cell: str) -> str:
        """The plain text of a cell's last output, which nbgrader reads and a reader of the page need not see."""
        return str(self._on_cell(cell, "cell.outputArea.model.toJSON().at(-1).data['text/plain']"))

    def output_html(self, cell: str) -> str:
        """The page's HTML of a cell's outputs, as drawn and after JupyterLab's sanitiser."""
        return str(self._on_cell(cell, "cell.outputArea.node.innerHTML"))

    def show(self, cell: str) -> None:
        """Scrolls to a cell, for a picture."""
        self._on_cell(cell, "cell.node.scrollIntoView({block: 'start'})")

    def save(self) -> None:
        self._wait_for("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")

    def set_theme(self, name: str) -> None:
        """`JupyterLab Light` or `JupyterLab Dark`."""
        self._wait_for(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => null)",
            name,
        )
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def validate(self) -> ValidationDialog:
        """Clicks nbgrader's Validate button, which saves and runs the whole notebook; gives its answer."""
        dialog = self.open_validation()
        self.close_dialog()
        return dialog

    def open_validation(self) -> ValidationDialog:
        """As `validate`, and leaves the dialog open, for a picture."""
        button = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .validate-button")
        button.get_by_text("Validate").click()
        dialog = self.page.locator(".jp-Dialog")
        dialog.wait_for(timeout=RUN_MS)
        title = dialog.locator(".jp-Dialog-header").inner_text()
        text = dialog.locator(".jp-Dialog-body").inner_text()
        return ValidationDialog(title=title.strip(), text=text.strip())

    def close_dialog(self) -> None:
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")

    def screenshot(self, name: str) -> Path:
        """Saves what the window shows as `name`.png, in the folder BROWSER_PICTURES or in the test's own."""
        path = self.pictures / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
        return path

    def _on_cell(self, cell: str, expression: str, argument: object = None) -> object:
        """The value of a JavaScript expression over `panel`, `cell` and `argument`."""
        script = f"([name, argument]) => {{ {FIND_CELL} return {expression}; }}"
        return self.page.evaluate(script, [cell, argument])

    def _wait_for(self, promise: str, argument: object = None, timeout: int = RUN_MS) -> None:
        """Waits for a promise with a time limit, which `Page.evaluate` does not have."""
        self.page.evaluate(
            f"""argument => {{
                window.courseTest = {{done: false, error: null}};
                const state = window.courseTest;
                Promise.resolve().then(() => ({promise})(argument))
                    .catch(error => {{ state.error = String(error); }}).then(() => {{ state.done = true; }});
            }}""",
            argument,
        )
        self.page.wait_for_function("window.courseTest.done", timeout=timeout)
        error = self.page.evaluate("window.courseTest.error")
        if error is not None:
            raise RuntimeError(f"in the page: {error}")
