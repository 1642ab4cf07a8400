"""Judge what was observed. Pure: no learner's code runs here, and the same verdict serves learner, feedback and report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..formats.cases import ExerciseCases, Fault, Sighting
from . import unusual
from .compare import Difference
from .diagnose import Diagnosis, diagnose
from .exceptions import explained
from .probes import Finding, Probe, Trial
from .probes.named import named_probes
from .probes.probe import common_view
from .relation import relation
from .unusual import REMEMBERS, TWICE, bound_to_the_cpu, remembered, unusual_finding
from .weights import told_by_file
from .which import on_which_cases

NOT_JUDGED = "not-judged"
"""The diagnosis where a question could not be asked: nothing is held against the code, and nothing counts as passed."""
WAITED = "waited"
"""The diagnosis where time went by and little was computed: on a busy machine that need not be the code's own doing."""


@dataclass(frozen=True)
class ProbeResult:
    name: str
    title: str
    passed: bool | None
    """None where the probe was not reached."""
    finding: Finding | None = None
    """What speaks against it; where it holds, at most examples to show."""
    label: str = ""


@dataclass(frozen=True)
class Verdict:
    unit: str
    exercise: str
    hidden: bool
    passed: bool
    score: float
    max_score: float
    points_elsewhere: float
    diagnosis: str | None
    """Short name of the known mistake or of the trouble; None where no cause is claimed."""
    message: str
    label: str = ""
    """The case that the message speaks of."""
    difference: Difference | None = None
    results: tuple[ProbeResult, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    examples: tuple[tuple[str, str, str], ...] = ()
    """Rows to show, each (given, expected, yours)."""


def verdicts(
    sets: Iterable[Sequence[ExerciseCases]], sightings: Mapping[str, Sighting], folder: Path
) -> dict[str, Verdict]:
    """Verdicts by `ExerciseCases.key`: the one way from what was observed to points and sentences, whoever asks.

    sets:   of each exercise its visible cases, and behind them the hidden ones where these were observed too
    folder: where the files lie that were handed in beside the notebook
    """
    found: dict[str, Verdict] = {}
    for visible, *others in sets:
        found[visible.key] = verdict_of(visible, sightings[visible.key], folder)
        for hidden in others:
            found[hidden.key] = verdict_of(hidden, sightings[hidden.key], folder, (visible, found[visible.key]))
    return found


def verdict_of(
    cases: ExerciseCases, sighting: Sighting, folder: Path, before: tuple[ExerciseCases, Verdict] | None = None
) -> Verdict:
    """The verdict on one set of cases; on values that no function could have returned, a plain no.

    before: the visible cases and the verdict on them, where these are the hidden ones
    """
    told = told_by_file(sighting, cases, folder)
    probes = named_probes(cases.probes)
    try:
        return judge_hidden(cases, probes, told, *before) if before else judge(cases, probes, told)
    except Exception:  # probes look at values that a hostile process may have chosen
        forged = Fault("Died", "what came back could not be compared with what was expected.")
        return judge(cases, (), Sighting({}, trouble=forged))


def judge(cases: ExerciseCases, probes: Sequence[Probe], sighting: Sighting) -> Verdict:
    """The verdict on one exercise, with a word on what the code keeps between calls, if it failed: an answer that belongs to
    another call can look like anything."""
    verdict = _judged(cases, probes, sighting)
    if verdict.passed or not sighting.kept or not verdict.results:
        return verdict
    names = ", ".join(f"`{name}`" for name in sighting.kept[:3])
    if verdict.diagnosis in (REMEMBERS, TWICE):
        return replace(verdict, message=f"{verdict.message} ({names} held something else after the calls than before.)")
    told = (
        f"Your code keeps something from one call to the next: {names} held something else after the calls than before. "
        "An answer may belong to an earlier call; look there first."
    )
    return replace(verdict, diagnosis=_KEEPS, message=f"{told} If that is not the reason: {verdict.message}")


_KEEPS = "keeps-between-calls"


def _judged(cases: ExerciseCases, probes: Sequence[Probe], sighting: Sighting) -> Verdict:
    """The verdict on one exercise. All probes must hold on all cases: points are all or nothing for a set of cases.

    Only where every finding says what part of the points is earned all the same (translations, of which a share is
    right) is there something between: in half points, rounded down.
    """
    if sighting.trouble:
        return _verdict(cases, sighting, *_trouble(cases, sighting.trouble))
    for seen in sighting.observations.values():
        if seen.fault and seen.fault.type_name == "NotAsked":
            return _verdict(cases, sighting, *_trouble(cases, seen.fault))
    if sighting.forbidden:
        names = " and ".join(f"`{name}`" for name in sighting.forbidden)
        written_out = f"your code calls {names}, which does this exercise's work for you. Write it out."
        if len(sighting.forbidden) > 1:
            written_out = f"your code calls {names}, which do this exercise's work for you. Write it out."
        return _verdict(cases, sighting, "forbidden-operator", written_out)
    results = tuple(_result(probe, cases, sighting) for probe in probes)
    if cases.unusual and results:
        results = (*results, _unusual_result(cases, probes, sighting, all(result.passed for result in results)))
    missing = [key for key in cases.calls if key not in sighting.observations]
    if not missing and results and all(result.passed for result in results):
        verdict = _verdict(cases, sighting, None, "", results=results, share=1.0)
        note = bound_to_the_cpu(cases, sighting)
        return replace(verdict, notes=(*verdict.notes, note)) if note else verdict
    if left := remembered(cases, probes, sighting):
        finding, label = left
        return _verdict(
            cases, sighting, finding.name, finding.message, results=results, label=label, difference=finding.difference
        )
    # Who fails on unusual inputs alone may give right values of another form: those speak for no known mistake.
    on_plan = any(result.passed is not True for result in results[: len(probes)]) or not results
    found = diagnose(cases, sighting, common_view(probes)) if on_plan else None
    if found:
        return _verdict(
            cases, sighting, found.variant.name, found.sentence, results=results, **_evidence(results, found)
        )
    fault, label = _first_fault(cases, sighting)
    if fault:
        name, message = _trouble(cases, fault)
        return _verdict(cases, sighting, name, message, results=results, label=label)
    if missing or not results:
        return _verdict(
            cases, sighting, "not-observed", "the check could not see what your code returns.", results=results
        )
    failed = next(result for result in results if result.passed is False)
    assert failed.finding is not None
    cause: str | None = failed.finding.name or failed.name
    message = failed.finding.message
    if cause in _NO_CAUSE:
        related = relation(cases, sighting, common_view(probes))
        which = on_which_cases(cases, sighting, common_view(probes))
        cause = next((found.name for found in (related, which) if found and found.name), None)
        if cause is None and failed.finding.difference and failed.finding.difference.in_form:
            cause = _OTHER_FORM
        told = [found.message for found in (related, which) if found]
        message = " ".join(_sentence(part, cases.returns) for part in (*told, message))
    return _verdict(
        cases,
        sighting,
        cause,
        message,
        results=results,
        label=failed.label,
        difference=failed.finding.difference,
        share=min(_share(result) for result in results),
    )


_OTHER_FORM = "other-form"
"""Another type, shape or count of items than the text asks for."""
_NO_CAUSE = ("matches", "right_shape")
"""Properties that say no more than that something is different."""


def judge_hidden(
    cases: ExerciseCases, probes: Sequence[Probe], sighting: Sighting, visible: ExerciseCases, on_visible: Verdict
) -> Verdict:
    """The verdict on hidden cases. Where the visible ones have failed, their sentence serves here too.

    Only who passes all visible cases and fails a hidden one has the known mistakes looked through again.
    """
    if on_visible.passed:
        return judge(cases, probes, sighting)
    found = judge(replace(cases, variants=()), probes, sighting)
    if found.passed or on_visible.diagnosis not in {variant.name for variant in visible.variants}:
        return found
    return replace(
        found, diagnosis=on_visible.diagnosis, message=on_visible.message, label=on_visible.label, difference=None
    )


def _share(result: ProbeResult) -> float:
    """The part of the points that one probe leaves; none where it was not reached on every case."""
    if result.passed is None:
        return 0.0
    return 1.0 if result.finding is None else max(0.0, min(1.0, result.finding.share))


def _verdict(
    cases: ExerciseCases,
    sighting: Sighting,
    diagnosis: str | None,
    message: str,
    *,
    results: tuple[ProbeResult, ...] = (),
    share: float = 0.0,
    label: str = "",
    difference: Difference | None = None,
) -> Verdict:
    points = float(cases.points)
    shown = [result.finding.examples for result in results if result.finding and result.finding.examples]
    return Verdict(
        unit=cases.unit,
        exercise=cases.name,
        hidden=cases.hidden,
        passed=share >= 1,
        score=points if share >= 1 else math.floor(2 * points * share + 1e-9) / 2,
        max_score=points,
        points_elsewhere=float(cases.points_elsewhere),
        diagnosis=diagnosis,
        message=_sentence(message, cases.returns),
        label=label,
        difference=difference,
        results=results,
        notes=() if diagnosis == NOT_JUDGED else _notes(sighting),
        hints=() if diagnosis == NOT_JUDGED else cases.hints,
        examples=shown[0] if shown else (),
    )


def _result(probe: Probe, cases: ExerciseCases, sighting: Sighting) -> ProbeResult:
    reached, worst, label = True, None, ""
    for key in cases.base_keys:
        trial = _trial(probe, key, cases, sighting)
        if trial is None:
            reached = False
            continue
        finding = probe.judge(trial)
        if finding and (worst is None or finding.share < worst.share):
            worst, label = finding, trial.call.label
        if finding and finding.share <= 0:
            break
    if worst and worst.share < 1:
        # A share of the points is for those who were seen on every case.
        return ProbeResult(probe.name, probe.title, False, worst if reached else replace(worst, share=0.0), label)
    return ProbeResult(probe.name, probe.title, True if reached else None, worst, label)


def _unusual_result(cases: ExerciseCases, probes: Sequence[Probe], sighting: Sighting, reached: bool) -> ProbeResult:
    """On unusual inputs the same is asked as on the others; what fails already on these says nothing new there."""
    found = unusual_finding(cases, probes, sighting) if reached else None
    if found is None:
        return ProbeResult(unusual.NAME, unusual.TITLE, None)
    return ProbeResult(unusual.NAME, unusual.TITLE, found[0] is None, *found)


def _trial(probe: Probe, key: str, cases: ExerciseCases, sighting: Sighting) -> Trial | None:
    seen = sighting.observations.get(key)
    if seen is None or seen.fault:
        return None
    derived = {}
    prefix = f"{key}/{probe.name}/"
    for full in cases.plan:
        if full.startswith(prefix):
            other = sighting.observations.get(full)
            if other is None or other.fault:
                return None
            derived[full.removeprefix(prefix)] = (cases.plan[full], other, cases.expected[full])
    return Trial(cases.plan[key], seen, cases.expected[key], derived, cases.tolerance, cases.returns)


def _evidence(results: Sequence[ProbeResult], found: Diagnosis) -> dict[str, Any]:
    """The numbers to show: of the first failing probe that has any, preferably with an expected side."""
    failed = [result for result in results if result.passed is False and result.finding]
    shown = [
        r for r in failed if r.finding and r.finding.difference and r.finding.difference.expected is not None
    ] or failed
    if not shown:
        return {"label": found.label}
    finding = shown[0].finding
    return {"label": shown[0].label, "difference": finding.difference if finding else None}


def _first_fault(cases: ExerciseCases, sighting: Sighting) -> tuple[Fault | None, str]:
    for key in cases.plan:
        observation = sighting.observations.get(key)
        if observation and observation.fault:
            return observation.fault, cases.plan[key].label
    return None, ""


def _trouble(cases: ExerciseCases, fault: Fault) -> tuple[str, str]:
    """Short name and sentence for code that ended in an exception or could not be run."""
    where = f" (line {fault.line}: `{fault.source_line}`)" if fault.line and fault.source_line else ""
    if cases.hidden and fault.type_name not in _OURS:
        # The text is composed by the learner's code, which has hidden inputs in its hands.
        fault = replace(fault, message="")
    what = f"{fault.type_name}: {fault.message}" if fault.message else fault.type_name
    match fault.type_name:
        case "NotImplementedError" if fault.source_line.startswith("raise NotImplementedError"):
            return "not-written", f"`{cases.name}` is not written yet: replace the `raise NotImplementedError` line."
        case "NotDefined":
            return "not-defined", f"`{cases.name}` is not defined when everything has run."
        case "NotRun":
            return "not-defined", f"`{cases.name}` could not be checked: {fault.message}.{_cure(fault)}"
        case "NotAsked":
            return NOT_JUDGED, (
                f"`{cases.name}` was not judged: {fault.message}.{_cure(fault)} Restart the kernel (in a terminal: run "
                "the command again), run the cells from the top, and check again."
            )
        case "OutOfTime":
            computing = f"`{cases.name}` did not finish within {fault.message} seconds of computing"
            if not where:
                return "out-of-time", f"{computing}."
            at = f"line {fault.line}: `{fault.source_line}`"
            return "out-of-time", f"{computing} ({at}). Look for a loop whose end is never reached."
        case "Waited":
            return WAITED, (
                f"`{cases.name}` did not finish: it waited{where}, and in all that time computed for less than "
                f"{fault.message} seconds. Does it wait for an answer, a file or another thread?"
            )
        case "Died":
            return "died", fault.message
        case "File":
            return "file", fault.message
        case "KeyboardInterrupt":
            return "interrupted", "the check was interrupted before it was done. Run the cell again."
        case "TypeError" if "argument" in fault.message and not fault.line:
            return "signature", f"`{cases.name}` could not be called as `{cases.signature}`: {fault.message}."
    if fault.stage == "define":
        return "not-callable", f"`{cases.name}` is no {cases.kind} but an object of type {fault.type_name}."
    if fault.stage == "load weights":
        return "weights", f"the check could not load its weights into your class: {what}."
    if fault.stage == "gradients":
        return "gradients", f"no gradient could be computed through your code: {what}{where}."
    if fault.stage == "construct":
        raised = f"building your class raised {what}{where}."
    elif where:
        raised = f"running your code raised {what} (line {fault.line}: `{fault.source_line}`)."
    else:
        raised = f"running your code raised {what}."
    return f"raised-{fault.type_name}", f"{raised} {explained(fault)}".rstrip()


_OURS = ("NotDefined", "NotRun", "NotAsked", "OutOfTime", "Waited", "Died", "File")
"""Faults whose text is the observer's own."""


def _cure(fault: Fault) -> str:
    """What to do about a package that is not there."""
    found = re.search(r"No module named '([\w.]+)'", fault.message)
    if not found:
        return ""
    package = found[1].split(".")[0]
    return (
        f" Is the course's environment active? If so, and you need `{package}`, install it with "
        f"`python -m pip install {package}`; if not, take the import out."
    )


_WHERE = re.compile(r"^(?:(?:\S*[/\\])?ipykernel_\d+[/\\]\d+\.py|<ipython-input-[^>]*>|<string>):(\d+):")
"""How a warning names a cell: a file that nobody can find."""


def _notes(sighting: Sighting) -> tuple[str, ...]:
    reset = tuple(
        f"another cell had changed `{name}` for the whole notebook; it was put back while this was checked"
        for name in sighting.reset
    )
    printed = sighting.printed.strip()
    if not printed:
        return reset
    lines = [_WHERE.sub(r"line \1:", line.strip()) for line in printed.splitlines()]
    more = f" (and {len(lines) - 3} more lines)" if len(lines) > 3 else ""
    return (
        *reset,
        f"your code printed: {' / '.join(line[:120] for line in lines[:3])}{more}",
    )


def _sentence(text: str, names: tuple[str, ...]) -> str:
    """The text with a capital first letter, unless it begins with the name of something."""
    text = text.strip()
    first = text.split(" ", 1)[0]
    return text if not first.isalpha() or first in names else text[:1].upper() + text[1:]
