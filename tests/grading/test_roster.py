"""Who is in the class, as platforms write it down; and where each learner stands, handed in or not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autograder.grading.class_report import class_report
from autograder.grading.collect.listing import Collected
from autograder.grading.roster import (
    Extension,
    Learner,
    Roster,
    RosterError,
    read_extensions,
    read_roster,
    safe_name,
)
from autograder.grading.times import moment
from tests.grading.plain import UNIT, record, row, stand

pytestmark = pytest.mark.quick

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (77),Current Score
    Points Possible,,,,,10,(read only)
"Doe, Jane",11,S1,jdoe,A,7,70
"Doe, Jane",12,S2,jdoe2,A,,
"Student, Test",99,,,A,,
"""


def listed(tmp_path: Path, text: str, encoding: str = "utf-8") -> Roster:
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return read_roster(path)


def test_canvas_own_export_is_a_roster_with_its_ids(tmp_path: Path) -> None:
    roster = listed(tmp_path, CANVAS)
    assert [(one.id, one.platform_id, one.sis_id) for one in roster.learners] == [
        ("jdoe", "11", "S1"),
        ("jdoe2", "12", "S2"),
    ]
    assert roster.canvas_head == ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    assert roster.learners[0].canvas == ("Doe, Jane", "11", "S1", "jdoe", "A")
    assert roster.find(platform_id="12") == roster.learners[1] and len(roster.named("jane doe")) == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("id,first_name,last_name,email,lms_user_id\nada,Ada,King,a@x.org,7", Learner("ada", "Ada", "King", "a@x.org", platform_id="7")),
        ("Identifier,Full name,ID number,Email address,Last modified (submission)\nParticipant 5,Ada King,M1,a@x.org,\"Monday, 1 March 2027, 5:55 PM\"",
         Learner("M1", "Ada", "King", "a@x.org", sis_id="M1", participant="5", handed_in="Monday, 1 March 2027, 5:55 PM")),
        ("First Name,Last Name,SID,Email,Sections\nAda,King,M1,a@x.org,A", Learner("M1", "Ada", "King", "a@x.org", sis_id="M1")),
        ("Last Name,First Name,Username,Student ID\nKing,Ada,aking,M1", Learner("M1", "Ada", "King", login="aking")),
        ("name\tlogin\nAda King\taking", Learner("aking", "Ada", "King", login="aking")),
    ],
)  # fmt: skip
def test_lists_of_other_platforms_are_read_too(tmp_path: Path, text: str, wanted: Learner) -> None:
    assert listed(tmp_path, text).learners == (wanted,)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_a_spreadsheet_makes_of_a_list_can_be_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = f"sep={delimiter}\r\nid,first_name,last_name\r\n\r\nada,Zoë,Müller\r\n,,\r\n".replace(",", delimiter)
    assert listed(tmp_path, text, encoding).learners == (Learner("ada", "Zoë", "Müller"),)


def test_an_id_that_is_no_name_of_a_folder_gets_one_and_is_still_known(tmp_path: Path) -> None:
    roster = listed(tmp_path, "id\n../ada\nS/12\n")
    for learner, written in zip(roster.learners, ("../ada", "S/12"), strict=True):
        assert learner.id == safe_name(written) and "/" not in learner.id
        assert roster.of_folder(learner.id) == roster.of_folder(written) == learner


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,first_name\nada,A\nbob,B\nADA,C", "lines 2 and 4 have the same id, 'ADA'"),
        ("id,lms_user_id\nada,7\nbob,7", "lines 2 and 3 have the same platform id, '7'"),
        ("first_name,last_name\nAda,King", "no column says who is who"),
        ("name,login\nAda,ada\nBob,", "line 3: Bob has no id"),
        ("", "is empty"),
        ('id,name\nada,"Ada', "is no table that can be read"),
    ],
)
def test_a_list_that_cannot_be_used_says_so_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RosterError, match=told) as raised:
        listed(tmp_path, text)
    assert "\n" not in str(raised.value)


def test_a_list_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match=r"nowhere\.csv cannot be read"):
        read_roster(tmp_path / "nowhere.csv")


def test_extensions_are_read_with_their_zone(tmp_path: Path) -> None:
    path = tmp_path / "extensions.csv"
    assert read_extensions(path) == ()
    path.write_text("student;unit;until;excused\nada;02;2027-03-01 18:00 EST;\nbob;;;yes\n*;03;excused;\n")
    ada, bob, everybody = read_extensions(path)
    assert ada.until is not None and ada.until.astimezone(UTC) == datetime(2027, 3, 1, 23, tzinfo=UTC)
    assert bob == Extension("bob", "*", None, True) and everybody == Extension("*", "03", None, True)
    path.write_text("student,unit,until\nada,02,+2 days\n*,*,+ 1.5 h\n")
    assert [one.more for one in read_extensions(path)] == [timedelta(days=2), timedelta(hours=1.5)]
    path.write_text("student,unit,until\nada,02,soon\n")
    with pytest.raises(RosterError, match="line 2: 'soon' is no date"):
        read_extensions(path)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2021-02-08 20:43:06.834417000 Z", 20),
        ("Monday, February 8, 2021 8:43:06 PM EST", 25),
        ("Monday, 8 February 2021 20:43:06 o'clock GMT", 20),
        ("2021-02-08 20:43:06 +0100", 19),
        ("2021-02-08 20:43:06 +01:00", 19),
        ("8 Feb 2021, 8:43 PM", 20),
    ],
)
def test_times_keep_the_zone_that_platforms_write(text: str, hour: int) -> None:
    found = moment(text)
    assert found is not None
    since = found.astimezone(UTC) - datetime(2021, 2, 8, tzinfo=UTC)
    assert since.total_seconds() // 3600 == hour


# Where each learner stands

CLASS = Roster(tuple(Learner(name, name.title(), "King") for name in ("ada", "bob", "eve", "kim", "zoe")))
DUE = {UNIT: datetime(2027, 3, 1, 18, tzinfo=UTC)}


def status(**more: object) -> dict[str, str]:
    return {one.student: one.status for one in stand(roster=CLASS, units=(UNIT,), **more)}  # type: ignore[arg-type]


def test_each_learner_is_shown_as_what_they_are() -> None:
    told = status(
        folders={(UNIT, "ada"), (UNIT, "guest")},
        refused={(UNIT, "bob"): "a.zip is a broken archive"},
        extensions=[
            Extension("eve", UNIT, None, True),
            Extension("KIM", "*", datetime(2027, 3, 2, 18, tzinfo=UTC), False),
        ],
    )
    assert told == {
        "ada": "not graded yet",
        "bob": "handed in, but not collected: a.zip is a broken archive",
        "eve": "excused",
        "guest": "not graded yet; not on the roster",
        "kim": "not handed in; extended until 2027-03-02 18:00 UTC",
        "zoe": "not handed in",
    }


@pytest.mark.parametrize(
    ("handed_in", "more", "told"),
    [
        ("2027-03-01T17:59:00", {}, ""),
        ("2027-03-01T20:05:00", {}, "late by 2 h 5 min"),
        ("2027-03-04T19:00:00", {}, "late by 3 d 1 h"),
        ("2027-03-01T20:05:00", {"extensions": [Extension("*", "*", datetime(2027, 3, 2, tzinfo=UTC), False)]},
         "extended until 2027-03-02 00:00 UTC"),
        ("2027-03-01T20:05:00", {"extensions": [Extension("*", "*", None, False, timedelta(days=1))]}, "1 d of grace"),
        ("2027-03-02T18:05:00", {"extensions": [Extension("*", "*", None, False, timedelta(days=1))]},
         "late by 5 min; 1 d of grace"),
        ("", {"marked_late": {(UNIT, "ada")}}, "late, by the platform's mark"),
    ],
)  # fmt: skip
def test_late_is_late_by_the_clock_or_by_the_platforms_mark(handed_in: str, more: dict, told: str) -> None:
    (ada,) = stand(row("ada", handed_in=handed_in), due=DUE, **more)
    assert ada.status == told


def test_a_penalty_is_told_as_it_was_given() -> None:
    (ada,) = stand(row("ada", handed_in="2027-03-01T20:05:00", late_penalty=1.5), due=DUE)
    assert ada.status == "late: −1.5"


def test_the_class_report_counts_and_names_who_is_missing() -> None:
    standings = stand(row("ada"), row("bob", needs_manual_grade=True), roster=CLASS)
    page = class_report([record("ada"), record("bob")], standings)
    assert "<summary>3 not handed in</summary><p>eve, kim, zoe</p>" in page
    assert "<summary>1 written answer to grade</summary><p>bob</p>" in page
    assert page.count("<td>not handed in</td>") == 3


def test_the_class_report_shows_what_came_of_collecting_and_what_is_wrong_with_its_lists() -> None:
    rows = [Collected("ada", "repaired", "hw.ipynb", late="LATE", note="taken"), Collected("bob", "collected")]
    page = class_report([], stand(roster=CLASS, units=(UNIT,)), (), {UNIT: rows}, ["roster.csv is empty."])
    assert "taken; marked late by the platform" in page and "bob</td>" in page and "roster.csv is empty." in page
    assert "Nothing is graded yet." in page
