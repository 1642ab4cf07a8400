"""The picture in the README: a check in a real JupyterLab that names the mistake just made.

    python -m tests.browser.readme_picture

writes docs/named-mistake.png. Run it again when a check's panel looks different.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from autograder.lab.machine import whole_machine
from autograder.lab.style import png
from tests.browser.conftest import FLAGS, browser_path
from tests.browser.lab_server import REPOSITORY, copy_course, running_lab
from tests.browser.notebook_page import NotebookPage

PICTURE = REPOSITORY / "docs" / "named-mistake.png"
MACHINE = REPOSITORY / "docs" / "transformer.png"
NOTEBOOK = "notebooks/03_self_attention/self_attention.ipynb"
EXERCISE = "scaled_dot_product_attention"
MISTAKE = '''\
def scaled_dot_product_attention(query, key, value):
    """Attention of queries to keys, with any leading axes."""
    scores = query @ np.swapaxes(key, -2, -1)
    weights = softmax(scores, axis=-1)
    return weights @ value, weights'''
WINDOW = {"width": 900, "height": 985}
COLOURS = 128


def picture() -> bytes:
    """The exercise and its check, as JupyterLab draws them at two pixels to the point."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), headless=True, args=list(FLAGS))
        with running_lab(copy_course(Path(home) / "course"), Path(home) / "jupyter") as server:
            page = browser.new_page(viewport=WINDOW, device_scale_factor=2)
            notebook = NotebookPage(page, server, Path(home))
            notebook.open(NOTEBOOK)
            for area in ("left", "right"):
                page.evaluate(f"window.jupyterapp.shell.collapse{area.title()}()")
            notebook.run('begin("03_self_attention")')
            notebook.replace_source(EXERCISE, MISTAKE)
            notebook.run(EXERCISE)
            notebook.run(f"{EXERCISE}-check")
            notebook.show(EXERCISE)
            page.wait_for_timeout(1000)  # the scroll bars fade
            taken = page.screenshot()
        browser.close()
    return taken


if __name__ == "__main__":
    small = Image.open(io.BytesIO(picture())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(PICTURE, optimize=True)
    Image.open(io.BytesIO(png(whole_machine()))).convert("RGB").quantize(COLOURS).save(MACHINE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB, {small.width} × {small.height}")
