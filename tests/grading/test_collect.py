"""Collecting: what counts, what is kept, what a file costs that cannot be taken, and what is told of it."""

import io
import re
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.grading.collect.archives import Unusable
from autograder.grading.collect.collecting import collect, table
from autograder.grading.collect.listing import Collected, read_listing
from autograder.grading.roster import Learner, Roster, safe_name
from tests.grading.downloads import UNIT, collected, kept, lies_there, mark_of, notebook, notes, packed, stamp, tree

pytestmark = pytest.mark.quick
CLASS = Roster((Learner("ada", platform_id="1"), Learner("bob", platform_id="2"), Learner("eve", platform_id="3")))


# Which file counts


@pytest.mark.parametrize(
    "name",
    [
        "attention (1).ipynb",
        "small_final.ipynb",
        "my homework.ipynb",
        "a/b/c.ipynb",
        "small.ipynb.txt",
        "small.json",
        "small",
    ],
)
def test_a_notebook_is_found_by_what_is_in_it(tmp_path: Path, name: str) -> None:
    rows = collected(tmp_path, {f"ada/{name}": notebook("x"), "ada/picture.png": b"PNG", "bob/small.ipynb": notebook()})
    assert lies_there(tmp_path)["ada"] == "x"
    assert notes(rows)["ada"] == f"{Path(name).name} was taken as small.ipynb" and notes(rows)["bob"] == ""


@pytest.mark.parametrize("name", ["small-2.ipynb", "small (1).ipynb", "small(1).ipynb"])
def test_a_number_that_a_platform_or_a_browser_adds_is_no_repair(tmp_path: Path, name: str) -> None:
    (row,) = collected(tmp_path, {f"doeada_1_30_{name}": notebook("x")})
    assert (row.status, row.note) == ("collected", "")


def test_a_notebook_of_another_unit_gives_way_to_one_of_this(tmp_path: Path) -> None:
    files = {"ada/small.ipynb": notebook("other", ids=("elsewhere",)), "ada/x.ipynb": notebook("x")}
    collected(tmp_path, files | {"bob/y.ipynb": notebook("y")})
    assert lies_there(tmp_path)["ada"] == "x" and kept(tmp_path, "ada") == {"other"}


def test_a_notebook_of_another_unit_alone_is_collected_and_told(tmp_path: Path) -> None:
    rows = collected(tmp_path, {"ada/x.ipynb": notebook("x", ids=("elsewhere",)), "bob/small.ipynb": b"{broken"})
    assert "holds no cell of 90_small" in notes(rows)["ada"] and "its JSON is broken" in notes(rows)["bob"]
    assert {row.student: row.status for row in rows} == {"ada": "repaired", "bob": "collected"}
    assert (tmp_path / "submitted" / "bob" / UNIT.name / "small.ipynb").read_bytes() == b"{broken"


def test_of_several_the_newest_counts_and_the_others_are_kept(tmp_path: Path) -> None:
    rows = collected(tmp_path, {
        "raybob_2_31_small.ipynb": notebook("first"),
        "raybob_2_33_small-2.ipynb": notebook("third"),
        "raybob_2_32_small-1.ipynb": notebook("second"),
    }, CLASS)  # fmt: skip
    assert lies_there(tmp_path) == {"bob": "third"} and kept(tmp_path, "bob") == {"first", "second"}
    assert "2 other files are kept in submitted/bob/earlier" in notes(rows)["bob"]


def test_of_several_attempts_the_latest_counts(tmp_path: Path) -> None:
    names = ("HW_bob_attempt_2027-03-01-17-55-10_a.ipynb", "HW_bob_attempt_2027-03-02-07-55-10_a.ipynb")
    collected(tmp_path, dict(zip(names, (notebook("1"), notebook("2")), strict=True)))
    assert lies_there(tmp_path) == {"bob": "2"} and kept(tmp_path, "bob") == {"1"}
    assert stamp(tmp_path, "bob") == "2027-03-02 07:55:10 UTC"


def test_a_newer_file_that_is_none_of_the_units_does_not_count(tmp_path: Path) -> None:
    files = {"raybob_2_31_small.ipynb": notebook("work"), "raybob_2_32_notes.ipynb": notebook("notes", ids=())}
    with pytest.raises(IndexError):
        mark_of(files["raybob_2_32_notes.ipynb"])
    collected(tmp_path, files)
    assert lies_there(tmp_path) == {"raybob_2": "work"}


def test_trained_weights_come_along_under_any_name(tmp_path: Path) -> None:
    collected(tmp_path, {"raybob_2_31_small.ipynb": notebook(), "raybob_2_32_small-1.safetensors": b"weights"})
    assert (tmp_path / "submitted" / "raybob_2" / UNIT.name / "small.safetensors").read_bytes() == b"weights"


# Again


def test_a_second_time_nothing_changes(tmp_path: Path) -> None:
    files = {
        "doeada_LATE_1_30_hw.zip": packed(
            {"../x.ipynb": b"", "a.ipynb": notebook("a"), "b.ipynb": notebook("b", IDS_FEW)}
        ),
        "raybob_2_31_small.ipynb": notebook("1"),
        "raybob_2_32_small-1.ipynb": notebook("2"),
        "=evil_9_33_essay.pdf": b"%PDF",
        "readme.txt": b"",
    }
    first = collected(tmp_path, files, CLASS), tree(tmp_path)
    assert (collected(tmp_path, files, CLASS), tree(tmp_path)) == first


IDS_FEW = ("centre",)


@pytest.mark.parametrize(("old", "new"), [(31, 32), (9, 10)])
def test_what_is_replaced_is_kept_and_an_older_download_does_not_come_back(tmp_path: Path, old: int, new: int) -> None:
    earlier, later = {f"x_2_{old}_small.ipynb": notebook("old")}, {f"x_2_{new}_small.ipynb": notebook("new")}
    for files in (earlier, later, earlier, later, earlier):
        rows = collected(tmp_path, files, CLASS)
    assert lies_there(tmp_path) == {"bob": "new"} and kept(tmp_path, "bob") == {"old"}
    assert "newer than x_2_" in notes(rows)["bob"]
    again = collected(tmp_path, {f"x_2_{new + 1}_small.ipynb": notebook("old")}, CLASS)
    assert lies_there(tmp_path) == {"bob": "old"} and kept(tmp_path, "bob") == {"old", "new"}
    assert [row.number for row in again if row.student == "bob"] == [new + 1]


def test_without_times_and_numbers_what_was_replaced_before_is_older(tmp_path: Path) -> None:
    for mark in ("1", "2", "1"):
        collected(tmp_path, {"bob/small.ipynb": notebook(mark)})
    assert lies_there(tmp_path) == {"bob": "2"} and kept(tmp_path, "bob") == {"1"}


def test_what_a_person_put_there_is_kept_too(tmp_path: Path) -> None:
    folder = tmp_path / "submitted" / "bob" / UNIT.name
    folder.mkdir(parents=True)
    (folder / "small.ipynb").write_bytes(notebook("by hand"))
    (folder / "timestamp.txt").write_text("2027-03-01 18:00 UTC")
    (folder / "more").mkdir()
    (folder / "more" / "words.md").write_text("words")
    collected(tmp_path, {"bob/small.ipynb": notebook("new")})
    assert kept(tmp_path, "bob") == {"by hand"}
    assert b"words" in tree(tmp_path / "submitted" / "bob" / "earlier").values()


def test_a_time_that_a_person_gave_stays_where_the_platform_gives_none(tmp_path: Path) -> None:
    files = {"bob/small.ipynb": notebook("x")}
    collected(tmp_path, files)
    (tmp_path / "submitted" / "bob" / UNIT.name / "timestamp.txt").write_text("2027-03-01 18:00 UTC")
    collected(tmp_path, files)
    assert stamp(tmp_path, "bob") == "2027-03-01 18:00 UTC"


def test_two_downloads_of_one_unit_add_up(tmp_path: Path) -> None:
    collected(tmp_path, {"doeada_1_30_small.ipynb": notebook("a")}, CLASS)
    rows = collected(tmp_path, {"raybob_2_31_small.ipynb": notebook("b")}, CLASS)
    assert [(row.student, row.status) for row in rows] == [
        ("ada", "collected"),
        ("bob", "collected"),
        ("eve", "missing"),
    ]
    assert read_listing(tmp_path, UNIT.name) == rows


def test_who_was_refused_is_not_missing_and_once_collected_no_longer_refused(tmp_path: Path) -> None:
    rows = collected(tmp_path, {"doeada_1_30_small.zip": b"PK no zip", "x_2_31_small.ipynb": notebook()}, CLASS)
    assert [(row.student, row.status) for row in rows] == [("ada", "skipped"), ("bob", "collected"), ("eve", "missing")]
    rows = collected(tmp_path, {"doeada_1_31_small.ipynb": notebook("a")}, CLASS)
    assert [(row.student, row.status) for row in rows] == [
        ("ada", "collected"),
        ("bob", "collected"),
        ("eve", "missing"),
    ]


def test_a_broken_newer_file_leaves_what_is_in_place_and_is_told(tmp_path: Path) -> None:
    collected(tmp_path, {"raybob_2_31_small.ipynb": notebook("b")}, CLASS)
    for _ in range(2):
        rows = collected(tmp_path, {"raybob_2_32_small.zip": b"PK no zip"}, CLASS)
        assert [row.status for row in rows if row.student == "bob"] == ["skipped", "collected"]
    assert lies_there(tmp_path) == {"bob": "b"}


# What cannot be taken


def encrypted() -> bytes:
    data = bytearray(packed({"small.ipynb": notebook()}))
    for place in (6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    return bytes(data)


def with_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("small.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def damaged() -> bytes:
    data = bytearray(packed({"small.ipynb": notebook("x" * 5000)}))
    data[60:90] = b"\xff" * 30
    return bytes(data)


def lying_about_its_size() -> bytes:
    data = bytearray(packed({"small.ipynb": b"0" * 30_000_000}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1000)
    return bytes(data)


def nested(depth: int) -> bytes:
    data = notebook("x")
    for _ in range(depth):
        data = packed({"small.ipynb" if data[:1] == b"{" else "a.zip": data})
    return data


REFUSED = {
    "a bomb": (packed({"small.ipynb": b"0" * 30_000_000}), "packed so tightly"),
    "a lie": (lying_about_its_size(), "small.ipynb is"),
    "no zip": (b"PK\x03\x04 and so on", "is a broken archive"),
    "damaged": (damaged(), "is broken inside its archive"),
    "encrypted": (encrypted(), "is locked with a password"),
    "a link": (with_link(), "is a link"),
    "outside": (packed({"../small.ipynb": notebook()}), "leads outside"),
    "absolute": (packed({"/tmp/small.ipynb": notebook()}), "leads outside"),
    "a drive": (packed({"C:\\small.ipynb": notebook()}), "leads outside"),
    "backslashes": (packed({"..\\..\\small.ipynb": notebook()}), "leads outside"),
    "deep": (nested(5), "archive in an archive"),
    "many": (packed({f"{number}.txt": b"" for number in range(600)}), "more than 500 files"),
    "empty": (packed({}), "no notebook among: hw.zip"),
    "no notebook": (packed({"essay.pdf": b"%PDF"}), "no notebook among: essay.pdf, hw.zip"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_taken_costs_its_own_learner_and_says_why(tmp_path: Path, kind: str) -> None:
    data, told = REFUSED[kind]
    rows = collected(tmp_path / "course", {"x_1_30_hw.zip": data, "y_2_31_small.ipynb": notebook("bob")}, CLASS)
    assert {row.student: row.status for row in rows} == {"ada": "skipped", "bob": "collected", "eve": "missing"}
    assert told in notes(rows)["ada"] and "\n" not in notes(rows)["ada"]
    assert lies_there(tmp_path / "course") == {"bob": "bob"}
    assert {path.name for path in tmp_path.iterdir()} == {"course"}


def test_a_name_that_leads_outside_of_the_download_costs_one_file(tmp_path: Path) -> None:
    files = {
        "../../evil/small.ipynb": notebook("evil"),
        "ada/small.ipynb": notebook("a"),
        "C:/x/small.ipynb": notebook(),
    }
    rows = collected(tmp_path / "course", files)
    assert lies_there(tmp_path / "course") == {"ada": "a"}
    assert all("leads outside" in row.note for row in rows if row.status == "skipped")
    assert {path.name for path in tmp_path.iterdir()} == {"course"}


def test_what_else_is_in_an_archive_is_taken_though_one_of_its_files_is_not(tmp_path: Path) -> None:
    rows = collected(tmp_path, {"ada.zip": packed({"../x.ipynb": b"", "hw/small.ipynb": notebook("a")})})
    assert lies_there(tmp_path) == {"ada": "a"} and [row.status for row in rows] == ["repaired"]
    assert "x.ipynb has a name that leads outside" in notes(rows)["ada"]


def test_a_download_that_is_no_zip_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"download\.zip is a broken archive"):
        collected(tmp_path, b"<html>please log in</html>")
    with pytest.raises(Unusable, match="nowhere is not there"):
        collect(tmp_path, UNIT, [tmp_path / "nowhere"], Roster())


def test_a_folder_is_collected_without_following_links(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "small.ipynb").write_bytes(notebook("secret"))
    folder = tmp_path / "downloaded"
    for name in ("ada", "bob", "eve"):
        (folder / name).mkdir(parents=True)
    (folder / "ada" / "small.ipynb").write_bytes(notebook("a"))
    (folder / "bob" / "small.ipynb").symlink_to(secret / "small.ipynb")
    (folder / "eve" / "more").symlink_to(secret)
    (folder / "zoe.zip").write_bytes(packed({"small.ipynb": notebook("z")}))
    rows = collect(tmp_path, UNIT, [folder], Roster())
    assert lies_there(tmp_path) == {"ada": "a", "zoe": "z"}
    assert notes(rows)["bob"] == "small.ipynb is a link" and notes(rows)["eve"] == "more is a link"


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "course" / "submitted").mkdir(parents=True)
    (tmp_path / "course" / "submitted" / "ada").symlink_to(elsewhere)
    rows = collected(tmp_path / "course", {"ada/small.ipynb": notebook("a"), "bob/small.ipynb": notebook("b")})
    assert "ada is no folder" in notes(rows)["ada"] and list(elsewhere.iterdir()) == []


def test_the_table_shows_what_needs_a_look_and_counts_the_rest() -> None:
    rows = [
        Collected("", "skipped", "x.ipynb", note="its name does not say whose it is"),
        Collected("ada", "repaired", "hw.ipynb", note="hw.ipynb was taken as small.ipynb"),
        Collected("bob", "collected", "small.ipynb"),
        Collected("eve", "collected", "small.ipynb", late="LATE"),
        Collected("zoe", "missing"),
    ]
    told = table(rows)
    assert "hw.ipynb was taken as small.ipynb" in told and "bob" not in told and "eve" in told and "zoe" in told
    assert told.splitlines()[-1] == "2 collected, 1 repaired, 1 skipped, 1 missing"


# Whatever the names are

NAMES = st.text(min_size=1, max_size=30).filter(lambda name: not name.startswith("."))
ODD = st.sampled_from(
    ["..", "../x", "/x", "C:", "C:\\x", "CON", "a/../../b", "ada", "ADA", "ada.", "ada ", "=ada", "x" * 300, "é", "é"]
)
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(name=NAMES | ODD)
def test_a_folder_has_a_name_that_any_system_takes(name: str) -> None:
    safe = safe_name(name)
    assert safe and safe not in (".", "..") and not set(safe) & set('/\\:*?"<>|\0\n')
    assert not safe.startswith(".") and not safe.endswith((".", " ")) and len(safe.encode()) < 160


@MANY
@given(first=NAMES | ODD, second=NAMES | ODD)
def test_two_names_are_two_folders(first: str, second: str) -> None:
    assert first == second or safe_name(first) != safe_name(second)


@MANY
@given(
    numbers=st.lists(
        st.tuples(st.sampled_from(["doejane", "DoeJane", "ray", "jos\u00e9"]), st.integers(1, 5)), max_size=8
    )
)
def test_no_two_learners_share_a_folder(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[str, int]]
) -> None:
    course = tmp_path_factory.mktemp("course")
    files = {
        f"{name}_{user}0{place}_{place}_small.ipynb": notebook(str(place)) for place, (name, user) in enumerate(numbers)
    }
    collected(course, files)
    assert sorted(lies_there(course).values()) == sorted(mark_of(data) for data in files.values())
    assert len({name.casefold() for name in lies_there(course)}) == len(files)


@MANY
@given(tops=st.lists(NAMES | ODD, max_size=5), inner=st.lists(NAMES | ODD, max_size=3), zipped=st.booleans())
def test_nothing_is_written_outside_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, tops: list[str], inner: list[str], zipped: bool
) -> None:
    """Every notebook lies in its place, or is kept, or its file is told of."""
    base = tmp_path_factory.mktemp("base")
    files: dict[str, bytes] = {}
    for place, top in enumerate(tops):
        held = {f"{name}.ipynb": notebook(f"{place} {number}") for number, name in enumerate(["x", *inner])}
        if zipped:
            files[f"{top}.zip".replace("\0", "")] = packed_as_written(held)
        else:
            files |= {f"{top}/{name}": data for name, data in held.items()}
    course = base / "course"
    download = packed_as_written(files)
    first = collected(course, download)
    assert {path.name for path in base.iterdir()} == {"course"}
    assert {path.name for path in course.iterdir()} <= {"submitted", "reports", "download.zip"}
    assert all(path.parts[len(course.parts) + 2] in (UNIT.name, "earlier") for path in course.glob("submitted/*/*"))
    found = {mark_of(path.read_bytes()) for path in (course / "submitted").rglob("*.ipynb")}
    told = any(row.status == "skipped" or "outside" in row.note for row in first)
    if not told and not any(hidden(name) for name in (*tops, *inner)):
        assert {mark for data in held_marks(files, zipped) for mark in data} <= found
    before = tree(course)
    assert collected(course, download) == first and tree(course) == before


def hidden(name: str) -> bool:
    """Names that systems keep for themselves, or that are no names at all."""
    return any(part.startswith(".") or part == "" for part in name.replace("\\", "/").split("/")) or "\0" in name


def held_marks(files: dict[str, bytes], zipped: bool) -> list[set[str]]:
    found = []
    for data in files.values():
        if not zipped:
            found.append({mark_of(data)})
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found.append({mark_of(archive.read(info)) for info in archive.infolist() if not info.is_dir()})
    return found


def packed_as_written(files: dict[str, bytes]) -> bytes:
    """Also names that no system would make. (Python's own writer ends a name at a NUL, and fails where nothing is before it.)"""
    return packed(
        {re.sub("^\0", "_\0", name).encode("utf-8", "replace").decode(): data for name, data in files.items()}
    )
