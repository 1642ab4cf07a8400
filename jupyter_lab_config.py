"""What `jupyter lab --config=jupyter_lab_config.py` reads in this folder; `make lab` starts it so."""

import os
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

# It opens on the map of the course, in the language of AUTOGRADER_LANGUAGE where there is one; without that page, as
# JupyterLab does by itself.
spoken = os.environ.get("AUTOGRADER_LANGUAGE", "")[:2]
for page in (f"notebooks/{spoken}/start.ipynb", "notebooks/start.ipynb", "notebooks/zh/start.ipynb"):
    if (Path(__file__).resolve().parent / page).is_file():
        c.LabApp.default_url = f"/lab/tree/{page}"
        break
