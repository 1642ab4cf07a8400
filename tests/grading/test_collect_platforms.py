"""Whose a file is, and when it was handed in, as each platform writes it down."""

from pathlib import Path

import pytest

from autograder.grading.collect.collecting import collect
from autograder.grading.roster import Learner, Roster
from tests.grading.downloads import UNIT, collected, lies_there, notebook, notes, packed, stamp

pytestmark = pytest.mark.quick

CLASS = Roster(
    (
        Learner("jdoe", "Jane", "Doe", "jane@x.org", login="jdoe", platform_id="11", sis_id="S1", participant="5"),
        Learner("jdoe2", "Jane", "Doe", "jane2@x.org", login="jdoe2", platform_id="12", sis_id="S2", participant="6"),
        Learner("bob", "Bob", "Ray", "bob@x.org", login="bob", platform_id="13", sis_id="S3", participant="7"),
    )
)

CANVAS = {
    "doejane_LATE_11_201_small.ipynb": notebook("jane"),
    "doejane_12_202_small-1.ipynb": notebook("other jane"),
    "raybob_13_203_my homework (1).ipynb": notebook("bob"),
}
MOODLE = {
    "Jane Doe_5_assignsubmission_file_/small.ipynb": notebook("jane"),
    "Jane Doe_6_assignsubmission_file/hw.ipynb": notebook("other jane"),
    "Group A-Bob Ray_7_assignsubmission_file_small_final.ipynb": notebook("bob"),
}
GRADESCOPE = {
    "assignment_9_export/submission_metadata.yml": b"""\
---
submission_71:
  :submitters:
  - :name: Jane Doe
    :sid: S1
    :email: jane@x.org
  :created_at: 2027-03-01 17:55:10.834417000 Z
  :score:
  :results: !ruby/object:Results
    :tests: []
submission_72:
  :submitters:
  - :name: Jane Doe
    :sid:
    :email: jane2@x.org
  - :name: Bob Ray
    :sid: S3
    :email: bob@x.org
  :created_at: 2027-03-01 12:55:10.000000000 -05:00
""",
    "assignment_9_export/submission_71/small.ipynb": notebook("jane"),
    "assignment_9_export/submission_72/small.ipynb": notebook("other jane"),
}
BLACKBOARD = {
    "HW 1_jdoe_attempt_2027-03-01-17-55-10_small.ipynb": notebook("jane"),
    "HW 1_jdoe2_attempt_2027-03-01-17-55-10_small.ipynb": notebook("other jane"),
    "HW 1_jdoe2_attempt_2027-03-01-17-55-10.txt": b"Name: Jane Doe (jdoe2)\nAssignment: HW 1\n"
    b"Date Submitted: Monday, March 1, 2027 5:55:10 PM EST\n\nSubmission Field:\nName: Bob Ray (bob)\n",
    "HW 1_bob_attempt_2027-03-01-17-55-10_small.ipynb": notebook("bob"),
}


@pytest.mark.parametrize("wrapped", ["", "class/", "a/b/"])
@pytest.mark.parametrize("files", [CANVAS, MOODLE, BLACKBOARD], ids=["canvas", "moodle", "blackboard"])
def test_each_platform_names_its_learners_and_namesakes_are_told_apart(
    tmp_path: Path, files: dict, wrapped: str
) -> None:
    collected(tmp_path, {wrapped + name: data for name, data in files.items()}, CLASS)
    assert lies_there(tmp_path) == {"jdoe": "jane", "jdoe2": "other jane", "bob": "bob"}


def test_gradescope_names_all_who_handed_in_together(tmp_path: Path) -> None:
    collected(tmp_path, GRADESCOPE, CLASS)
    assert lies_there(tmp_path) == {"jdoe": "jane", "jdoe2": "other jane", "bob": "other jane"}
    assert {stamp(tmp_path, name) for name in ("jdoe", "jdoe2", "bob")} == {"2027-03-01 17:55:10 UTC"}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (CANVAS, {"doejane_11", "doejane_12", "raybob_13"}),
        (MOODLE, {"Jane Doe_5", "Jane Doe_6", "Group A-Bob Ray"}),
        (BLACKBOARD, {"jdoe", "jdoe2", "bob"}),
        (GRADESCOPE, {"S1", "jane2@x.org", "S3"}),
    ],
)
def test_without_a_roster_namesakes_have_folders_of_their_own(tmp_path: Path, files: dict, names: set) -> None:
    collected(tmp_path, files)
    assert lies_there(tmp_path).keys() == names


def test_canvas_mark_of_lateness_is_kept(tmp_path: Path) -> None:
    rows = collected(tmp_path, CANVAS, CLASS)
    assert {row.student: row.late for row in rows} == {"jdoe": "LATE", "jdoe2": "", "bob": ""}
    assert stamp(tmp_path, "jdoe") == ""


def test_times_of_blackboard_have_the_zone_that_it_names_or_the_chosen_one(tmp_path: Path) -> None:
    collected(tmp_path, BLACKBOARD, CLASS, zone="Europe/Berlin")
    assert stamp(tmp_path, "jdoe") == "2027-03-01 16:55:10 UTC"
    assert stamp(tmp_path, "jdoe2") == "2027-03-01 22:55:10 UTC"


def test_moodles_grading_worksheet_tells_when(tmp_path: Path) -> None:
    worksheet = Roster((Learner("jdoe", participant="5", handed_in="Monday, 1 March 2027, 5:55 PM"),))
    collected(tmp_path, MOODLE, worksheet, zone="Europe/Berlin")
    assert stamp(tmp_path, "jdoe") == "2027-03-01 16:55:00 UTC"


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("jdoe/small.ipynb", "jdoe"),
        ("jdoe/homework/x.ipynb", "jdoe"),
        ("JDOE/small.ipynb", "jdoe"),
        ("12/small.ipynb", "jdoe2"),
        ("S3/small.ipynb", "bob"),
        ("Ray, Bob/small.ipynb", "bob"),
        ("bob.ipynb", "bob"),
        ("small_bob.ipynb", "bob"),
        ("bob_small (1).ipynb", "bob"),
        ("HW1 bob final.ipynb", "bob"),
        ("Bob Ray - small.ipynb", "bob"),
        ("newcomer/small.ipynb", "newcomer"),
    ],
)
def test_a_plain_folder_or_file_is_known_by_any_id_or_a_name(tmp_path: Path, name: str, student: str) -> None:
    rows = collected(tmp_path, {name: notebook("x"), "zoe/small.ipynb": notebook("z")}, CLASS)
    assert lies_there(tmp_path)[student] == "x"
    assert ("not on the roster" in notes(rows)[student]) == (student == "newcomer")


@pytest.mark.parametrize(
    ("name", "student"),
    [("ada.ipynb", "ada"), ("ada_small.ipynb", "ada"), ("small-ada.ipynb", "ada"), ("abc-12.ipynb", "abc-12"),
     ("abc-12_small-1.ipynb", "abc-12"), ("Ada King - small(1).ipynb", "Ada King")],
)  # fmt: skip
def test_without_a_roster_the_units_name_is_no_part_of_a_learners(tmp_path: Path, name: str, student: str) -> None:
    collected(tmp_path, {name: notebook("x")})
    assert lies_there(tmp_path) == {student: "x"}


def test_a_name_that_several_have_is_nobodys(tmp_path: Path) -> None:
    rows = collected(tmp_path, {"Jane Doe/small.ipynb": notebook("x"), "jdoe or bob.ipynb": notebook("y"),
                                "small (2).ipynb": notebook("z")}, CLASS)  # fmt: skip
    told = {row.file: row.note for row in rows if row.status == "skipped"}
    assert "2 learners on the roster are called Jane Doe (jdoe, jdoe2)" in told["Jane Doe/small.ipynb"]
    assert "may mean bob or jdoe" in told["jdoe or bob.ipynb"]
    assert "whose it is" in told["small (2).ipynb"]
    assert lies_there(tmp_path) == {}


def test_two_users_with_the_name_of_one_learner_are_not_made_one(tmp_path: Path) -> None:
    one_jane = Roster((Learner("jdoe", "Jane", "Doe"),))
    rows = collected(tmp_path, CANVAS, one_jane)
    assert sum(row.status == "skipped" and "several are called doejane" in row.note for row in rows) == 2
    assert lies_there(tmp_path).keys() == {"raybob_13"}


def test_a_namesake_in_a_later_download_does_not_take_the_place(tmp_path: Path) -> None:
    one_jane = Roster((Learner("jdoe", "Jane", "Doe"),))
    first, second, _ = CANVAS
    collected(tmp_path, {first: CANVAS[first]}, one_jane)
    rows = collected(tmp_path, {second: CANVAS[second]}, one_jane)
    assert lies_there(tmp_path) == {"jdoe": "jane"}
    assert any(row.status == "skipped" and "user 12" in row.note for row in rows)


def test_a_folder_that_a_learner_has_already_goes_on_being_used(tmp_path: Path) -> None:
    (tmp_path / "submitted" / "raybob").mkdir(parents=True)
    collected(tmp_path, CANVAS, CLASS)
    assert lies_there(tmp_path)["raybob"] == "bob"


FORGED = [
    "doejane_11_201_raybob_13_203_small.ipynb",
    "doejane_11_201_Bob Ray_7_assignsubmission_file_small.ipynb",
    "doejane_11_201_HW_bob_attempt_2027-03-01-17-55-10_small.ipynb",
]


@pytest.mark.parametrize("name", FORGED)
def test_what_a_learner_calls_a_file_makes_it_nobody_elses(tmp_path: Path, name: str) -> None:
    collected(tmp_path, {name: notebook("jane")}, CLASS)
    assert lies_there(tmp_path) == {"jdoe": "jane"}


def test_a_file_on_blackboard_may_be_called_like_an_attempt(tmp_path: Path) -> None:
    name = "HW_jdoe_attempt_2027-03-01-17-55-10_HW_bob_attempt_2027-03-01-17-55-10_small.ipynb"
    collected(tmp_path, {name: notebook("jane")}, CLASS)
    assert lies_there(tmp_path) == {"jdoe": "jane"}


@pytest.mark.parametrize(
    "inside", [*FORGED, "bob/small.ipynb", "bob.ipynb", "../bob/small.ipynb", *MOODLE, *GRADESCOPE]
)
@pytest.mark.parametrize(
    "outside", ["doejane_11_201_hw.zip", "Jane Doe_5_assignsubmission_file_/hw.zip", "jdoe.zip", "jdoe/hw.zip"]
)
def test_names_inside_an_archive_make_nothing_another_learners(tmp_path: Path, outside: str, inside: str) -> None:
    files = {outside: packed({inside: notebook("x"), "small.ipynb": notebook("jane")})}
    collected(tmp_path, files, CLASS)
    assert lies_there(tmp_path).keys() == {"jdoe"}


def test_a_forged_list_of_gradescope_in_a_learners_folder_is_none(tmp_path: Path) -> None:
    files = {name.replace("assignment_9_export", "jdoe"): data for name, data in GRADESCOPE.items()}
    collected(tmp_path, files, CLASS)
    assert lies_there(tmp_path).keys() == {"jdoe"}


def test_a_time_that_lies_beside_is_taken_as_it_stands_but_not_from_an_archive(tmp_path: Path) -> None:
    collected(
        tmp_path,
        {
            "ada/small.ipynb": notebook("a"),
            "ada/timestamp.txt": b"2027-03-01 05:30 PM EST\n",
            "eve/90_small/small.ipynb": notebook("e"),
            "eve/90_small/timestamp.txt": b"2027-03-01 17:30 UTC",
            "zoe/small.ipynb": notebook("z"),
            "zoe/more/timestamp.txt": b"1999-01-01 00:00 UTC",
            "bob/hw.zip": packed({"small.ipynb": notebook("b"), "timestamp.txt": b"1999-01-01 00:00 UTC"}),
        },
    )
    told = {name: stamp(tmp_path, name) for name in ("ada", "bob", "eve", "zoe")}
    assert told == {"ada": "2027-03-01 05:30 PM EST", "bob": "", "eve": "2027-03-01 17:30 UTC", "zoe": ""}


def test_a_stray_file_beside_is_nobodys_and_no_learner(tmp_path: Path) -> None:
    rows = collected(
        tmp_path, {"ada/small.ipynb": notebook(), "bob/small.ipynb": notebook(), "all.tar.gz": b"", "readme.txt": b""}
    )
    assert [(row.student, row.file) for row in rows if row.status == "skipped"] == [
        ("", "all.tar.gz"),
        ("", "readme.txt"),
    ]


def test_a_folder_may_hold_the_platforms_zip(tmp_path: Path) -> None:
    archive = tmp_path / "downloaded"
    archive.mkdir()
    (archive / "submissions.zip").write_bytes(packed({f"class/{name}": data for name, data in CANVAS.items()}))
    collect(tmp_path, UNIT, [archive], CLASS)
    assert lies_there(tmp_path).keys() == {"jdoe", "jdoe2", "bob"}


def test_a_learners_zip_alone_in_a_folder_is_no_platforms(tmp_path: Path) -> None:
    archive = tmp_path / "downloaded"
    archive.mkdir()
    (archive / "bob.zip").write_bytes(packed(CANVAS))
    collect(tmp_path, UNIT, [archive], CLASS)
    assert lies_there(tmp_path).keys() == {"bob"}
