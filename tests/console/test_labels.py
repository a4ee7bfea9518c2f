"""Tags and notes of runs, and lists filtered and sorted by them: kept with the run, bounded, harmless."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tests.file_systems import mounted
from tests.run_folders import ended_run
from tests.saved_run import saved_run
from vlmft_console.cli import app
from vlmft_console.runs.facts import facts
from vlmft_console.runs.labels import LONGEST_NOTE, MOST_TAGS, Labels, change_note, change_tags
from vlmft_console.runs.run_filter import parse_filter
from vlmft_console.sanitize import sanitize
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.layout import RunLayout

HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202egnp.exe <script>alert(1)</script> hf_abcdefghijklmnopqrstuvwx"


def vlmft(*arguments: str, columns: int = 160) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": str(columns)})


def refused(*arguments: str) -> str:
    """What is said of a mistake: one line."""
    result = vlmft(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    return line


def listed(*arguments: str) -> list[str]:
    return [row["run"] for row in json.loads(vlmft("runs", "--json", *arguments).stdout)]


@pytest.fixture
def three(here: Path) -> Path:
    """Runs of 20, 40 and 12 steps: last evals 1.05, 5 and 1.083."""
    root = here / "outputs"
    ended_run(root, "good", preset="best")
    ended_run(root, "rising", steps=40, total=40, preset="quick", rising=True)
    ended_run(root, "short", steps=12, total=40, status="stopped", preset="best")
    return root


def test_a_tagged_run_is_found_by_its_tag_also_in_a_copy_of_its_folder(three: Path) -> None:
    assert vlmft("tag", "good", "sweep-1", "lr/3e5").stdout == "sweep-1 lr/3e5\n"
    assert vlmft("note", "good", "the one with  the\nold data").stdout == "the one with the old data\n"
    shutil.copytree(three / "good", three / "copy")
    assert sorted(listed("tag:sweep-1")) == sorted(listed("tag:SWEEP*", "note:old")) == ["copy", "good"]
    assert listed("tag:sweep") == []
    assert "#sweep-1 #lr/3e5 the one with the old data" in vlmft("runs").stdout
    told = dict(line.strip().split(maxsplit=1) for line in vlmft("status", "good").stdout.splitlines())
    assert (told["tags"], told["note"]) == ("sweep-1 lr/3e5", "the one with the old data")


def test_tags_are_added_once_and_taken_away_and_an_empty_note_is_none(three: Path) -> None:
    vlmft("tag", "good", "a", "b", "a")
    assert vlmft("tag", "good", "b", "c").stdout == "a b c\n"
    assert vlmft("tag", "good", "--remove", "a", "c").stdout == "b\n"
    vlmft("note", "good", "words")
    assert json.loads(vlmft("tag", "--json", "good").stdout) == {"tags": ["b"], "note": "words", "problem": ""}
    vlmft("tag", "good", "--remove", "b")
    vlmft("note", "good", "")
    assert not (three / "good" / "labels.json").exists()


def test_what_cannot_be_a_tag_or_a_note_is_refused_and_nothing_changes(three: Path) -> None:
    vlmft("tag", "good", "kept")
    assert "'two words' cannot be a tag" in refused("tag", "good", "two words")
    assert "'x\\x1b[31m' cannot be a tag" in refused("tag", "good", "fine", "x\x1b[31m")
    assert "has no tag 'other' (it has kept)" in refused("tag", "good", "--remove", "other")
    assert f"{MOST_TAGS} are the most" in refused("tag", "good", *(f"t{number}" for number in range(MOST_TAGS)))
    assert f"{LONGEST_NOTE} are the most" in refused("note", "good", "x" * (LONGEST_NOTE + 1))
    assert vlmft("tag", "good").stdout == "kept\n"
    kept = ["exit.json", "labels.json", "logs", "preset.yaml", "proc.json", "run.json"]
    assert sorted(path.name for path in (three / "good").iterdir()) == kept


def test_as_many_tags_and_as_long_a_note_as_may_be_are_kept(three: Path) -> None:
    run, tags, note = RunLayout(three / "good"), [f"t{number}" for number in range(MOST_TAGS)], "x" * LONGEST_NOTE
    change_tags(run, tags)
    change_note(run, note)
    assert Labels.of(run) == Labels(tuple(tags), note)


def test_labels_that_others_wrote_do_nothing_where_they_are_shown(three: Path) -> None:
    (three / "good" / "labels.json").write_text(json.dumps({"tags": ["\x1b[31m"], "note": HOSTILE}))
    report = vlmft("report", "outputs/good", "-o", "report.html")
    assert report.exit_code == 0
    page = Path("report.html").read_text()
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    for text in (vlmft("runs").stdout, vlmft("status", "good").stdout, vlmft("note", "good").stdout, page):
        assert "\\x1b" in text
        assert not any(bad in text for bad in ("\x1b", "\x07", "\u202e", "hf_abcdef"))
    assert "\x1b" not in vlmft("runs", "--json").stdout


@pytest.mark.parametrize(
    "content",
    ["[]", '{"tags": 1}', '{"tags": [1]}', '{"tags": ["a b"]}', '{"note": 1}', "{", json.dumps({"note": "x" * 501})],
)
def test_labels_that_are_none_are_reported_and_not_written_over(three: Path, content: str) -> None:
    file = three / "good" / "labels.json"
    file.write_text(content)
    assert "labels.json" in vlmft("status", "good").stdout
    assert len(listed()) == 3
    for words in (["tag", "good", "a"], ["tag", "good"], ["note", "good"]):
        assert f"delete {Path('outputs/good/labels.json')}" in refused(*words)
    assert "labels.json" in json.loads(vlmft("tag", "good", "--json").stdout)["problem"]
    assert file.read_text() == content


def test_a_link_in_place_of_the_labels_is_replaced_and_what_it_leads_to_stays(three: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text('{"tags": ["theirs"]}')
    (three / "good" / "labels.json").symlink_to(precious)
    vlmft("tag", "good", "mine")
    assert precious.read_text() == '{"tags": ["theirs"]}'
    assert Labels.of(RunLayout(three / "good")).tags == ("theirs", "mine")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["eval<1.06"], ["good"]),
        (["eval>=1.05", "eval<2"], ["good", "short"]),
        (["best<1.05"], []),
        (["step>12", "step<=20"], ["good"]),
        (["done<50%"], ["short"]),
        (["train<0.06"], ["rising"]),
        (["age<1000000d"], ["good", "rising", "short"]),
        (["age<1h"], []),
        (["preset:best", "state:finished"], ["good"]),
        (["preset:b*"], ["good", "short"]),
        (["health:stop"], ["rising"]),
        (["health:eval_*"], ["rising"]),
        (["state:s*"], ["short"]),
        (["eval=1.05"], ["good"]),
        (["train=0.1667"], ["short"]),
        (["train=0.1666"], []),
        (["step=12"], ["short"]),
        (["state:live"], []),
        (["name:ising"], ["rising"]),
        (["STOPPED"], ["short"]),
        (["eval>1.06 preset:quick"], ["rising"]),
        (["tag:any"], []),
    ],
)
def test_a_list_is_filtered_by_what_runs_are(three: Path, words: list[str], found: list[str]) -> None:
    assert sorted(listed(*words)) == found


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("eval<x", "vlmft: eval<x: 'x' is no number (such as eval<0.1)"),
        ("eval<", "vlmft: eval<: '' is no number (such as eval<0.1)"),
        ("eval<nan", "vlmft: eval<nan: 'nan' is no number (such as eval<0.1)"),
        ("age<3weeks", "vlmft: age<3weeks: '3weeks' is no number (such as age<3h, age>2d or age<30min)"),
        ("eval:1", "vlmft: eval:1: eval is a figure (write eval<VALUE, or one of < <= > >= =)"),
        ("tag<1", "vlmft: tag<1: tag is a text (write tag:TEXT)"),
        (
            "state:runing",
            "vlmft: state:runing: no run has that state (state is one of live, crashed, early_stopped, elsewhere,"
            " failed, finished, lost, queued, recorded, running, stalled, starting, stopped, stopping, unreadable,"
            " unsupervised, sample)",
        ),
        ("health:sop", "vlmft: health:sop: no run has that health (health is one of ok, caution, stop, non_finite, "),
        ("state:", "vlmft: state:: a text is missing (such as state:live)"),
        ("<", "vlmft: <: no such filter (write eval<0.1 or state:live without spaces; there is no not)"),
        ("eval!=1", "vlmft: eval!=1: no such filter (write eval<0.1 or state:live without spaces; there is no not)"),
        (
            "!State:live",
            "vlmft: !State:live: no such filter (write eval<0.1 or state:live without spaces; there is no not)",
        ),
        ("eval≤1", "vlmft: eval≤1: no such filter (write eval<0.1 or state:live without spaces; there is no not)"),
        ('note:"a b', 'vlmft: note:"a b: a double quote has no second one (words with spaces stand as "a b")'),
        (
            "loss<1",
            "vlmft: loss<1: a run has no loss (figures are step, done, train, eval, best, age;"
            " texts name, state, preset, health, tag, note)",
        ),
    ],
)
def test_a_filter_that_makes_no_sense_is_told_in_one_line(three: Path, word: str, said: str) -> None:
    assert refused("runs", word).startswith(said)


PIECES = [*"<>=:*?[]!-^%\\() h1x\x1b\u202e", "eval", "age", "tag", "name", "state", "note", "nan", "1e999"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_any_text_is_a_filter_or_a_mistake_that_is_told(text: str) -> None:
    run = facts(
        name=text,
        state="finished",
        live=False,
        preset="best",
        health="ok",
        labels=Labels(("[a-", text[:9]), text),
        step=3,
        total_steps=0,
        train=float("nan"),
        last_eval=None,
        best_eval=float("inf"),
        age_seconds=-1.0,
    )
    told = ""
    try:
        assert parse_filter(text)(run) in (True, False)
    except VlmftError as error:
        told = sanitize(str(error))
    assert "\n" not in told


def test_a_folder_that_cannot_be_written_is_one_line(three: Path) -> None:
    vlmft("tag", "good", "mine")
    saved_run(three, "paused", status="stopped")
    with mounted(three.parent / "closed", "-o", "bind,ro", str(three)) as closed:
        said = f"vlmft: {closed / 'good' / 'labels.json'}: Read-only file system"
        for words in (["tag", "more"], ["tag", "mine", "--remove"], ["note", "more"]):
            assert refused(words[0], str(closed / "good"), *words[1:]) == said
        assert refused("resume", str(closed / "paused")).endswith("/run.json: Read-only file system")
    assert vlmft("tag", "good").stdout == "mine\n"


def test_labels_that_several_give_at_once_are_all_there(three: Path) -> None:
    run = RunLayout(three / "good")
    tags = [f"sweep-{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as several:
        asked = [several.submit(change_tags, run, [tag]) for tag in tags]
        several.submit(change_note, run, "the old data").result()
        for each in asked:
            each.result()
    assert set(Labels.of(run).tags) == set(tags)
    assert Labels.of(run).note == "the old data"


def test_words_between_double_quotes_stay_together(three: Path) -> None:
    vlmft("note", "good", "the old data, twice")
    vlmft("note", "short", "data that is old")
    assert sorted(listed("note:old", "note:data")) == ["good", "short"]
    assert listed('note:"old data"') == listed('"OLD data" eval<2') == ["good"]


def test_tags_are_taken_away_only_where_some_are_named(three: Path) -> None:
    vlmft("tag", "good", "sweep")
    assert refused("tag", "good", "--remove") == "vlmft: --remove: no tags are named (name those to take away)"
    assert vlmft("tag", "good").stdout == "sweep\n"


def test_a_list_is_sorted_by_what_is_asked_for(three: Path) -> None:
    assert listed("--sort", "eval") == ["good", "short", "rising"]
    assert listed("--sort", "step") == ["rising", "good", "short"]
    assert listed("--sort", "name", "preset:best") == ["good", "short"]
    assert "one of age, eval, best, train, step, name, state, preset" in refused("runs", "--sort", "colour")


def test_a_run_without_the_figure_comes_last(three: Path) -> None:
    ended_run(three, "none", steps=0)
    assert listed("--sort", "eval")[-1] == "none"
    assert "none" not in listed("eval<1000")


def test_a_filter_that_nothing_matches_is_no_empty_machine(three: Path) -> None:
    assert vlmft("runs", "tag:x").stdout == "none of 3 runs is one of those\n"
