"""Every solved notebook runs from top to bottom, and every check in it gives its full points.

Here the kernels do without the processor's newer instructions (AVX-512, bfloat16), as most laptops must: the author's
build has run the same notebooks with them. Experiments train for a few steps here, and the one long training, unit 10's, is
taken up a few steps before its end, as a learner's that was interrupted; the author's build has run all of them, and kept
the weights.
"""

import shutil
from pathlib import Path

import pytest
import torch
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell
from safetensors.torch import load_model

from autograder.authoring.notebook import execute, solved_notebook
from autograder.authoring.parse import parse_lesson, unit_stem, units
from autograder.authoring.processor import with_instructions
from autograder.formats.cases import CASES_FILE
from autograder.formats.notebook_file import part_of
from autograder.formats.translation import translated_cells
from autograder.lab.training import RECIPE, course_vocabularies, new_model, new_optimizer
from autograder.library import part

COURSE = Path(__file__).resolve().parents[2]
CAPABILITY = "import torch\ntorch.backends.cpu.get_cpu_capability()"


IN_CHINESE = ("05_multi_head", "07_masking")
"""Two quick ones of those whose labels are keys, choices and words inside f-strings too."""


FEWER_STEPS = {
    "05_multi_head": (("steps: int = 350", "steps: int = 40"),),
    "08_encoder": (("steps=450, peak=5e-3, warm_up=45", "steps=40, peak=5e-3, warm_up=4"),),
    "09_decoder": (("steps: int = 400", "steps: int = 60"),),
    "10_training": (
        ("* 120, new_optimizer", "* 20, new_optimizer"),
        ("steps=200, peak=2e-3, warmup=20", "steps=10, peak=2e-3, warmup=5"),
        ('break_it("nothing")', 'break_it("nothing", steps=60)'),
        ('break_it("no causal mask")', 'break_it("no causal mask", steps=60)'),
        ('break_it("padding counted in the loss")', 'break_it("padding counted in the loss", steps=60)'),
    ),
    "11_decoding": (
        ("steps=600", "steps=40"),
        ("steps=200", "steps=20"),
        ("steps=500, warmup=50", "steps=40, warmup=5"),
    ),
    "13_bert": (
        ('use_part("masked_lm_loss"), 1500', 'use_part("masked_lm_loss"), 150'),
        ("steps: int = 120", "steps: int = 6"),
    ),
    "14_gpt": (("= 300, 50, (0, 1)", "= 60, 20, (0, 1)"), ("train(model, 1000, seed=0)", "train(model, 60, seed=0)")),
    "15_look_inside": (('234567", 700', '234567", 50'),),
}
"""In the cells of experiments: what stands there, and what it is here."""


@pytest.mark.parametrize(
    ("unit", "language"),
    [*((unit, "en") for unit in units(COURSE / "solutions")), *((unit, "zh") for unit in IN_CHINESE)],
)
def test_the_solved_notebook_runs_and_passes_its_own_checks(unit: str, language: str, tmp_path: Path) -> None:
    lesson = parse_lesson(COURSE / "solutions" / unit / f"{unit_stem(unit)}.py")
    folder = tmp_path / unit
    folder.mkdir()
    shutil.copy(COURSE / "solutions" / unit / CASES_FILE, folder)
    if unit == "10_training":
        interrupted_training(folder)
    solved = solved_notebook(lesson)
    solved.cells = [from_dict(cell) for cell in translated_cells(solved.cells, language, unit)]
    shorten(solved.cells, FEWER_STEPS.get(unit, ()))
    solved.cells.append(new_code_cell(CAPABILITY))
    notebook = execute(solved, folder, environment=with_instructions("avx2"))
    assert "AVX512" not in str(results(notebook.cells.pop()))
    points = {
        cell.metadata["autograder"]["exercise"]: results(cell)
        for cell in notebook.cells
        if cell.cell_type == "code" and part_of(cell) == "check"
    }
    assert points == {exercise.name: [repr(exercise.visible_points)] for exercise in lesson.exercises}
    assert written_to_stderr(notebook) == []
    assert undescribed_pictures(notebook) == []


def shorten(cells: list[NotebookNode], edits: tuple[tuple[str, str], ...]) -> None:
    """Each edit in the one cell in which it can be made."""
    for old, new in edits:
        (cell,) = (cell for cell in cells if cell.cell_type == "code" and old in cell.source)
        cell.source = cell.source.replace(old, new)


def interrupted_training(folder: Path, left: int = 20) -> None:
    """The file that unit 10 leaves where its training is stopped so many steps before the end."""
    vocabularies = course_vocabularies(part("build_vocabulary"))
    model = new_model(part("Transformer"), vocabularies, device="cpu")
    load_model(model, COURSE / "solutions" / "10_training" / ".translator.safetensors")
    done = RECIPE.steps - left
    seen = {"teacher-forced accuracy": ([100, done], [0.5, 0.98]), "greedy exact match": ([100, done], [0.0, 0.95])}
    kept = {
        "step": done,
        "model": model.state_dict(),
        "optimizer": new_optimizer(model).state_dict(),
        "watch": {"losses": [1.2 + 5.5 / (1 + step / 50) for step in range(done)], "measured": seen, "said": []},
    }
    torch.save(kept, folder / "checkpoint.pt")


def results(cell: dict) -> list[str]:
    return [output["data"]["text/plain"] for output in cell["outputs"] if output["output_type"] == "execute_result"]


def written_to_stderr(notebook: dict) -> list[tuple[str, str]]:
    """A warning in a notebook of ours would teach that warnings are normal."""
    return [
        (cell["id"], output["text"][:200])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stderr"
    ]


def undescribed_pictures(notebook: dict) -> list[str]:
    """Cells that show a picture without the words that stand for it where it cannot be seen."""
    return [
        cell["id"]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {}) and not output["metadata"].get("image/png", {}).get("alt", "").strip()
    ]
