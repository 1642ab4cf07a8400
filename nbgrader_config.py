"""What nbgrader reads when it is started in this folder, by command or from JupyterLab.

The course's root is the folder that nbgrader or JupyterLab is started in: start both here. The gradebook,
`gradebook.db`, lies beside this file; the exchange keeps nbgrader's own default.
"""

from pathlib import Path

c = get_config()

c.CourseDirectory.course_id = "gpu-transformer"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"

# nbgrader copies every other file beside a source notebook into the release, and the lesson file there holds
# the solutions; an editor's backup of it (name~, .name.swp) holds them too. The same list keeps a submitted
# torch.py from being imported while grading. The first four entries are nbgrader's own defaults.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.py", "*~", ".*"]

# Nor are weights released that lie beside a solved notebook which somebody ran by hand. While grading they are kept.
c.GenerateAssignmentApp.CourseDirectory.ignore = [*c.CourseDirectory.ignore, "*.safetensors"]

# nbgrader's own commands repair, run and judge a submission as `python -m autograder grade` does: in a sandbox,
# the verdict made outside it.
c.Autograde.exporter_class = "autograder.grading.preprocessors.HandedIn"
c.Autograde.sanitize_preprocessors = [
    "autograder.grading.preprocessors.RepairNotebook",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.grading.preprocessors.JudgeOutside",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# `nbgrader zip_collect` finds learner and file in what a platform packs: STUDENT/NAME.ipynb, STUDENT_NAME.ipynb, Canvas
# (STUDENT_LATE_123_456_NAME-1.ipynb) and Moodle (STUDENT_123_assignsubmission_file/NAME.ipynb).
_names = sorted({path.stem for path in Path(__file__).parent.glob("solutions/*/*.ipynb")} | {"translator"})
c.FileNameCollectorPlugin.valid_ext = [".ipynb", ".safetensors"]
c.FileNameCollectorPlugin.named_regexp = (
    r".*/(?P<student_id>[^/]+?)(?:(?:_\d+_assignsubmission_file_?)?/|_(?:LATE_)?(?:\d+_\d+_)?)"
    rf"(?P<file_id>{'|'.join(_names)})(?:-\d+)?\.(?:ipynb|safetensors)$"
)
