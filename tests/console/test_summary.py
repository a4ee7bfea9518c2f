"""Summaries of long logs: with one, and however it came about, a log is read to the same end as without."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.console.states import content
from tests.core.test_health_property import logs, trainings
from tests.records import evaluated, plan, record, run_start, step, write_log
from vlmft_console import own_key as keys
from vlmft_console.history import loading, long_log, programs, sealed, stored, summary
from vlmft_console.history.loading import ReadAhead, ReadLog, read_log
from vlmft_console.history.opened import open_log
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.history.stored import ColumnFile
from vlmft_console.own_key import own_key
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.run_folder import growing
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.layout import RunLayout


@pytest.fixture(autouse=True)
def _any_log_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_log, "LEAST", 0)
    monkeypatch.setattr(long_log, "_SHARE", 1 << 40)
    monkeypatch.setattr(stored, "SHORT", 0)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = RunFolder.create(tmp_path, "run")
    made.write_run(preset_name="best", preset_text="{}\n", command=Command(("true",), {}))
    return made


def log_records(*, first: int = 1, last: int = 60, resumed: int | None = None) -> Iterator[Record]:
    """A segment with something in it for every rule and for every list of a state."""
    dice = random.Random(first)
    yield run_start(2 if resumed else 1, resumed)
    yield plan(80)
    for number in range(first, last + 1):
        loss = None if number == 41 else 2.0 + dice.random()
        odd = {"nonfinite": ["loss"]} if loss is None else {}
        yield step(number, loss, skipped_steps=number // 20, metrics={"a": number / 3, "b": dice.random()}, **odd)
        if number % 7 == 0:
            yield evaluated(number, 1.5 + abs(number - 20) / 10, token_accuracy=0.9 - number / 500)
        if number % 9 == 0:
            yield record("heartbeat", number, step=number, phase="step")
            yield record("checkpoint", number, step=number, path=f"checkpoint-{number}", kept=[number])
    yield record("note", 0, message="one more")


def everything(state: RunState) -> dict[str, Any]:
    """What a state tells, and what a chart of it asks."""
    told = content(state)
    series = {name: value for name, value in vars(state).items() if isinstance(value, Series)} | state.metrics
    for name, each in series.items():
        charts = [each.decimate(x0, x1, columns) for x0, x1, columns in ((0, 80, 7), (10, 33, 40), (5, 5, 1))]
        others = each.nearest(17.4), each.quantiles(3, 50, 0.1, 0.9), each.values(-9), each.values(2, 30)
        told[f"{name}, drawn"] = (charts, others, each.superseded.decimate(0, 80, 9))
    told["diagnoses"] = state.health.diagnoses
    told["means"] = state.mean_loss(first=True), state.mean_loss(first=False)
    return told


def without_summary(target: Path) -> dict[str, Any]:
    """What the log comes to when all of it is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "take_up", lambda log, columns=None: None)
        patch.setattr(summary, "keep", lambda *_: False)
        return everything(read_log(target).state)


def was_used(target: Path) -> bool:
    log = open_log(target)
    return summary.take_up(log) is not None


def test_a_log_is_read_to_the_same_end_from_a_summary_made_anywhere_in_it(run: RunFolder) -> None:
    first = write_log(run.events_file(1), log_records()).read_bytes()
    second = write_log(run.events_file(2), log_records(first=31, last=70, resumed=30)).read_bytes()
    whole = without_summary(run.path)
    assert whole["health"]
    text, dice = first + second, random.Random(5)
    ends = [at + 1 for at, byte in enumerate(text) if byte == 10]
    for cut in sorted({0, len(text), *ends, *(dice.randrange(len(text)) for _ in range(60))}):
        run.summary.unlink(missing_ok=True)
        run.events_file(2).unlink()
        run.events_file(1).write_bytes(first[:cut])  # in place, as a log grows
        if cut > len(first):
            run.events_file(2).write_bytes(second[: cut - len(first)])
        read_log(run.path)
        assert was_used(run.path)
        run.events_file(1).write_bytes(first)
        run.events_file(2).write_bytes(second)
        if cut <= len(first) or cut == len(text):
            assert was_used(run.path)
        assert everything(read_log(run.path).state) == whole


@settings(max_examples=30)
@given(log=logs | trainings(), data=st.data())
def test_any_log_is_judged_alike_with_a_summary_of_any_part_of_it(log: list[Record], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = RunLayout(Path(folder))
        run.logs.mkdir()
        text = b"".join(orjson.dumps(one) + b"\n" for one in [record("note", message="the first"), *log])
        run.events_file().write_bytes(text)
        whole = without_summary(run.path)
        os.truncate(run.events_file(), data.draw(st.integers(1, len(text))))
        read_log(run.path)
        run.events_file().write_bytes(text)
        assert was_used(run.path)
        assert everything(read_log(run.path).state) == whole


def test_a_state_from_a_summary_goes_on_as_one_that_was_read(run: RunFolder) -> None:
    write_log(run.events_file(), log_records())
    mine = read_log(run.path)
    other = read_log(run.path)
    more = [step(61), *log_records(first=21, last=50, resumed=20), step(44, 7.0), step(45, None, nonfinite=["loss"])]
    for read in (mine, other):
        read.state.apply_all(more)
        read.state.smooth_loss.weight = 0.5
    assert everything(other.state) == everything(mine.state)


def test_only_what_has_come_since_is_read(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(run.events_file(), log_records())
    read_log(run.path)
    with run.events_file().open("a") as file:
        file.write('{"v":1,"seq":1,"t":1.0,"event":"note","message":"more"}\n')
    applied: list[Record] = []
    take_in = RunState.apply_all
    monkeypatch.setattr(
        RunState, "apply_all", lambda state, records: (applied.extend(records), take_in(state, records))
    )
    assert read_log(run.path).state.notes[-1] == "more"
    assert [one["event"] for one in applied] == ["note"]


def edited(log: Path) -> None:
    with log.open("r+b") as file:
        file.seek(log.read_bytes().index(b'"loss": 2.') + 8)
        file.write(b"9")


def cut_off(log: Path) -> None:
    os.truncate(log, log.stat().st_size - 100)


def rewritten(log: Path) -> None:
    text = log.read_bytes()
    log.unlink()
    log.write_bytes(text.replace(b'"loss": 2.', b'"loss": 3.'))


def edited_and_grown(log: Path) -> None:
    edited(log)
    with log.open("ab") as file:
        file.write(b"\n" * 1000)


@pytest.mark.parametrize("change", [edited, cut_off, rewritten, edited_and_grown])
def test_a_log_that_was_changed_is_read_anew(run: RunFolder, change: Callable[[Path], None]) -> None:
    write_log(run.events_file(), log_records())
    before = everything(read_log(run.path).state)
    change(run.events_file())
    now = without_summary(run.path)
    assert now != before
    assert everything(read_log(run.path).state) == now
    assert was_used(run.path)


def test_an_earlier_segment_to_which_something_was_added_is_read_anew(run: RunFolder) -> None:
    write_log(run.events_file(1), log_records())
    write_log(run.events_file(2), log_records(first=31, last=70, resumed=30))
    read_log(run.path)
    with run.events_file(1).open("a") as file:
        file.write('{"v":1,"seq":1,"t":1.0,"event":"note","message":"late"}\n')
    assert not was_used(run.path)
    assert "late" in read_log(run.path).state.notes


def test_a_damaged_summary_is_made_anew(run: RunFolder) -> None:
    write_log(run.events_file(), log_records())
    whole = everything(read_log(run.path).state)
    good, dice = run.summary.read_bytes(), random.Random(3)
    for _ in range(60):
        bad = bytearray(good)
        at = dice.choice((dice.randrange(len(bad)), dice.randrange(64), len(bad) - 1 - dice.randrange(64)))
        bad[at] ^= 1 << dice.randrange(8)
        run.summary.write_bytes(bad)
        assert not was_used(run.path)
    for size in (0, 1, 15, 16, 47, 48, 64, len(good) // 2, len(good) - 1):
        run.summary.write_bytes(good[:size])
        assert not was_used(run.path)
    assert everything(read_log(run.path).state) == whole
    assert was_used(run.path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def leads_elsewhere(path: Path) -> None:
    path.symlink_to(path.with_name("target"))
    path.with_name("target").write_text("not ours to write")


@pytest.mark.parametrize("stands_there", [Path.mkdir, fifo, leads_elsewhere])
@pytest.mark.parametrize("name", [".summary", ".summary.part"])
def test_whatever_stands_in_its_place_is_neither_waited_for_nor_followed(
    run: RunFolder, stands_there: Callable[[Path], None], name: str
) -> None:
    write_log(run.events_file(), log_records())
    whole = without_summary(run.path)
    stands_there(run.logs / name)
    for _ in range(2):
        assert everything(read_log(run.path).state) == whole
    assert was_used(run.path)
    target = run.logs / "target"
    assert not target.exists() or target.read_text() == "not ours to write"


def test_where_the_folder_cannot_be_written_the_users_cache_has_the_latest_summaries(tmp_path: Path) -> None:
    logs = [tmp_path / f"{number}.jsonl" for number in range(20)]
    for log in logs:
        write_log(log, log_records())
        read_log(log)
    assert [was_used(log) for log in logs] == [False] * 4 + [True] * 16
    assert sorted(tmp_path.iterdir()) == sorted(logs)


def test_a_summary_that_another_user_wrote_is_not_believed(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(run.events_file(), log_records())
    whole = without_summary(run.path)
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(run.path.parent / "other"))
        log = open_log(run.path)
        state = RunState(log.monitor)
        state.apply_all([*log.reader.read(), record("note", 0, message="vlmft rm -y everything")])
        summary.keep(log, state, summary.Trainings(), 0)
    assert not was_used(run.path)
    assert everything(read_log(run.path).state) == whole


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_belongs_to_another_user_is_not_even_looked_at(run: RunFolder) -> None:
    write_log(run.events_file(), log_records())
    read_log(run.path)
    os.chown(run.summary, 12345, 12345)
    assert not was_used(run.path)
    run.summary.with_name(".summary.part").touch()
    os.chown(run.summary.with_name(".summary.part"), 12345, 12345)
    read_log(run.path)
    assert run.summary.stat().st_uid == 12345
    assert was_used(run.path)


class Hostile:
    def __reduce__(self) -> Any:
        return os.mkdir, ("made",)


def test_nothing_but_our_own_classes_comes_out_of_a_file_even_with_the_right_seal(here: Path) -> None:
    assert sealed.write_sealed(here / "file", own_key(), b"{}", Hostile(), None)
    with pytest.raises(Exception, match="nothing that a summary holds"):
        sealed.SealedFile(here / "file").value(own_key(), None, ColumnFile())
    assert not (here / "made").exists()


def test_a_summary_by_other_programs_or_thresholds_is_made_anew(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(run.events_file(), [run_start() | {"preset": {}}, *log_records()])
    read_log(run.path)
    assert was_used(run.path)
    run.preset_file.write_text("monitor: {window: 7}\n")
    assert not was_used(run.path)
    assert read_log(run.path).state.health.settings.window == 7
    assert was_used(run.path)
    monkeypatch.setattr(summary, "programs", lambda: "newer")
    assert not was_used(run.path)


def _read_again_and_again(path: Path) -> None:
    for _ in range(10):
        (RunLayout(path).summary).unlink(missing_ok=True)
        read_log(path)


def test_several_processes_may_write_it_at_once(run: RunFolder) -> None:
    write_log(run.events_file(), log_records())
    whole = without_summary(run.path)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_read_again_and_again, args=(run.path,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(10):
        assert everything(read_log(run.path).state) == whole
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    read_log(run.path)
    assert was_used(run.path)
    assert not run.summary.with_name(".summary.part").exists()


def test_a_summary_can_be_replaced_while_a_state_made_of_it_is_looked_at(run: RunFolder) -> None:
    write_log(run.events_file(), log_records())
    read_log(run.path)
    state = read_log(run.path).state
    told = everything(state)
    os.truncate(run.summary, 0)
    assert everything(state) == told


def test_a_log_with_a_summary_is_read_ahead_to_the_same_end(run: RunFolder) -> None:
    write_log(run.events_file(), log_records())
    whole = without_summary(run.path)
    for _ in range(2):
        *_, last = ReadAhead(run.path).results()
        assert isinstance(last, ReadLog)
        assert everything(last.state) == whole
        assert was_used(run.path)


@pytest.mark.parametrize("read", [loading.load, lambda path: ReadAhead(path).results()], ids=["here", "ahead"])
def test_what_a_long_log_held_so_far_is_shown_while_what_its_summary_lacks_is_read(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Iterator[loading.Progress | ReadLog]]
) -> None:
    for name in ("LOADING_SECONDS", "GLIMPSE_SECONDS"):
        monkeypatch.setattr(loading, name, 0.0)
    monkeypatch.setattr(growing, "CHUNK", 1000)
    write_log(run.events_file(), log_records())
    read_log(run.path)
    with run.events_file().open("ab") as file:
        file.writelines(orjson.dumps(step(number)) + b"\n" for number in range(61, 81))
    *glimpses, last = read(run.path)
    assert isinstance(last, ReadLog)
    shown = [each.glimpse.value() for each in glimpses if isinstance(each, loading.Progress) and each.glimpse]
    assert 60 < shown[0].step < 80
    for state in (*shown, last.state):
        assert list(state.train_loss) == list(last.state.train_loss)[: state.step]
        assert list(state.grad_norm) == list(last.state.grad_norm)[: state.step]


def test_columns_that_went_to_a_file_while_their_log_was_read_are_those_kept_in_memory(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(run.events_file(), log_records())
    write_log(run.events_file(2), log_records(first=41, last=75, resumed=40))
    write_log(run.events_file(3), log_records(first=31, last=60, resumed=30))
    whole = without_summary(run.path)
    monkeypatch.setattr(loading, "IN_MEMORY", 1)
    for chunk in (300, 1000, 7000):
        monkeypatch.setattr(growing, "CHUNK", chunk)
        run.summary.unlink(missing_ok=True)
        assert everything(read_log(run.path).state) == whole
        assert everything(read_log(run.path).state) == whole


def test_columns_of_the_same_length_and_checksum_are_kept_apart(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(run.events_file(), log_records())
    whole = without_summary(run.path)
    monkeypatch.setattr(loading, "IN_MEMORY", 1)
    monkeypatch.setattr(stored, "crc32", lambda data: 0)
    assert everything(read_log(run.path).state) == whole
    assert everything(read_log(run.path).state) == whole


def test_where_columns_have_no_place_a_log_is_read_ahead_all_the_same(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(run.events_file(), log_records())
    whole = without_summary(run.path)
    read_log(run.path)
    monkeypatch.setattr(tempfile, "TemporaryFile", _no_place)
    *_, last = ReadAhead(run.path).results()
    assert isinstance(last, ReadLog)
    assert everything(last.state) == whole


def _no_place() -> NoReturn:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")


def test_programs_installed_while_this_one_ran_get_none(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_process_began", lambda: 0.0)
    programs.programs.cache_clear()
    write_log(run.events_file(), log_records())
    read_log(run.path)
    assert not run.summary.exists()


def test_a_short_log_gets_none(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_log, "LEAST", 1 << 20)
    write_log(run.events_file(), log_records())
    read_log(run.path)
    assert not run.summary.exists()


def test_the_key_is_made_once_and_made_anew_where_others_could_have_read_it() -> None:
    key = own_key()
    assert len(key) == 32
    assert own_key() == key
    file = next(path for path in Path(os.environ["XDG_STATE_HOME"]).rglob("key"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["key"]
    file.chmod(0o644)
    newer = own_key()
    assert newer != key
    file.write_bytes(newer[:31])
    assert own_key() not in (key, newer)
    file.unlink()
    file.symlink_to("/dev/zero")
    assert own_key() not in (key, newer, bytes(32))
    assert not file.is_symlink()


def _tell_key(barrier: Any, told: Any) -> None:
    barrier.wait()
    told.put(keys.own_key())


def test_processes_that_make_the_key_at_once_agree_on_one() -> None:
    context = multiprocessing.get_context("fork")
    barrier, told = context.Barrier(4), context.Queue()
    makers = [context.Process(target=_tell_key, args=(barrier, told)) for _ in range(4)]
    for maker in makers:
        maker.start()
    found = {told.get(timeout=60) for _ in makers}
    for maker in makers:
        maker.join()
    assert found == {own_key()}
