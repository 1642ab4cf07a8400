"""What `jupyter lab --config=jupyter_lab_config.py` reads in this folder; `make lab` starts it so."""

from pathlib import Path

c = get_config()

# No request to a news or version server, and (overrides.json there) no question about them.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
c.LabApp.app_settings_dir = str(Path(__file__).resolve().parent / "jupyterlab_settings")

# nbgrader's tab that turns cells into exercises is off (page_config.json there): here lessons are written as text, and to a
# learner its switches would only do harm.

# The file browser opens on the units. The root stays the course's folder, since formgrader needs all of it.
c.ContentsManager.preferred_dir = "notebooks"

# It opens on the map of the course; without that page, as JupyterLab does by itself.
if (Path(__file__).resolve().parent / "notebooks" / "start.ipynb").is_file():
    c.LabApp.default_url = "/lab/tree/notebooks/start.ipynb"
