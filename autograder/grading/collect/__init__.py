"""Collect submissions: from a platform's download, or a folder, to `submitted/STUDENT/UNIT`.

Whose a file is, the outermost name alone decides, by the platform's own user id. Nothing that lies inside of what a
learner handed in can be filed as another's, and nothing is written but under names that are made here.
"""
