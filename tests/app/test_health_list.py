"""The health panel."""

from __future__ import annotations

from dataclasses import replace

from tests.app.alone import Alone
from tests.app.looking import screen_text, until, until_shown
from tests.records import record, step
from vlmft_console.app.widgets.run.health_list import HealthList
from vlmft_console.history.state import RunState
from vlmft_console.runs.headline import Headline
from vlmft_core.health import Advice, Finding
from vlmft_core.run_folder.events import VERSION

CAUTION = Finding("grad_high", 0, "caution", 100, 0.5, "grad_norm 31", Advice("Lower the rate."), 100)
STOP = Finding(
    "eval_rising", 1, "stop", 80, None, "rose 3 evals", Advice("Stop now.", (("training.weight_decay", 0.02),)), 90
)


def state_with(*findings: Finding) -> RunState:
    state = RunState()
    state.apply(step(120))
    state.health.findings[:] = findings
    return state


async def test_the_worst_comes_first_with_figures_and_advice() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        panel.show(state_with(CAUTION, STOP))
        await until_shown(pilot, "■ STOP  eval_rising · step 80")
        text = screen_text(app)
        assert text.index("rose 3 evals") < text.index("→ Stop now.") < text.index("▲ caution  grad_high")
        assert panel.selected == STOP
        assert "a makes that preset" in text


async def test_the_rows_of_an_odd_step_stand_with_its_finding_and_others_below() -> None:
    panel = HealthList()
    state = state_with(CAUTION)
    for at, row in ((100, "a.json, line 3"), (110, "[b]b[/b]\x1b[2J, line 4")):
        state.apply(record("rows", step=at, why="gradient norm 31", rows=[row], of=1, suspects=[]))
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        panel.show(state)
        await until_shown(pilot, "step 110: gradient norm 31; rows: [b]b[/b]")
        text = screen_text(app)
        assert text.index("grad_norm 31") < text.index("rows: a.json, line 3") < text.index("step 110")
        assert "step 100: gradient" not in text


async def test_a_run_says_what_its_adapter_can_do_and_at_the_end_where_it_is() -> None:
    panel = HealthList()
    state = state_with()
    for number, score in ((0, 0.39), (120, 0.835)):
        tasks = {"chartqa": {"relaxed_accuracy": score, "n": 200}}
        state.apply(record("eval", step=number, epoch=0.0, eval_loss=1.0, tasks=tasks))
    app = Alone(panel)
    async with app.run_test(size=(80, 20)) as pilot:
        panel.show(state)
        await until_shown(pilot, "tuned 83.5 %")  # while it goes on, too
        state.apply(record("run_end", status="finished", reason=""))
        panel.show(state)
        panel.show_end(Headline("finished", "run", adapter="outputs/[b]run/adapter"))
        await until_shown(pilot, "chartqa: base 39.0 % [32.5, 45.9] -> tuned 83.5 % [77.7, 88.0] (+44.5,")
        await until_shown(pilot, "adapter: outputs/[b]run/adapter")


async def test_a_log_that_a_newer_program_wrote_says_so() -> None:
    panel = HealthList()
    state = state_with()
    app = Alone(panel)
    async with app.run_test(size=(80, 20)) as pilot:
        panel.show(state)
        await until_shown(pilot, "no findings so far")
        assert "newer" not in screen_text(app)
        state.apply({**step(121), "v": VERSION + 1})
        panel.show(state)
        await until_shown(pilot, f"a newer vlmft wrote this log (version {VERSION + 1})")


async def test_a_log_without_losses_is_not_called_healthy() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        panel.show(RunState())
        await until_shown(pilot, "no losses to judge")
        assert "ok" not in screen_text(app)


async def test_only_the_focused_panel_shows_its_cursor() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:

        def reversed_cells() -> bool:
            strips = app.screen._compositor.render_strips()
            return any(segment.style and segment.style.reverse for strip in strips for segment in strip)

        panel.show(state_with(STOP))
        await until(pilot, reversed_cells)
        app.screen.set_focus(None)
        await until(pilot, lambda: not reversed_cells())


async def test_a_resolved_finding_shrinks_to_one_line_at_the_end() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        panel.show(state_with(replace(STOP, resolved=95), CAUTION))
        await until_shown(pilot, "✓ resolved  eval_rising · step 80 to 95")
        text = screen_text(app)
        assert text.index("grad_high") < text.index("eval_rising")
        assert "rose 3 evals" not in text


async def test_a_finding_is_chosen_with_the_arrow_keys_and_stays_chosen() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 4)) as pilot:
        panel.show(state_with(CAUTION, STOP))
        panel.focus()
        await pilot.press("down")
        assert panel.selected == CAUTION
        await until_shown(pilot, "grad_high")  # scrolled into view
        panel.show(state_with(replace(CAUTION, message="grad_norm 32"), STOP))
        assert panel.selected is not None
        assert panel.selected.rule == "grad_high"
        await pilot.press("k")
        assert panel.selected == STOP


async def test_advice_that_findings_share_is_told_once() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        panel.show(state_with(STOP, replace(STOP, number=2, rule="gap")))
        await until_shown(pilot, "gap")
        assert screen_text(app).count("→ Stop now.") == 1


async def test_what_several_findings_come_to_is_told_once() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        exploded = replace(STOP, rule="loss_exploded", message="loss 93 is far above 1.2")
        panel.show(state_with(exploded, replace(CAUTION, number=2)))
        await until_shown(pilot, "grad_norm 31")
        text = screen_text(app)
        assert text.index("■ STOP  loss 93") < text.index("■ STOP  loss_exploded")
        assert text.count("loss 93 is far above 1.2") == 1


async def test_a_healthy_run_says_so_and_shows_its_notes_literally() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(60, 20)) as pilot:
        state = state_with()
        state.apply(record("note", message="[@click=app.quit]x[/] \x1b[2J\x07 [/nope]"))
        panel.show(state)
        await until_shown(pilot, "✓ ok  no findings so far")
        assert "note: [@click=app.quit]x[/] \\x1b[2J\\x07 [/nope]" in screen_text(app)


async def test_the_reason_of_a_failure_is_told_in_full() -> None:
    panel = HealthList()
    app = Alone(panel)
    async with app.run_test(size=(40, 20)) as pilot:
        panel.show(state_with())
        panel.show_end(
            Headline("failed", "run", "rank 3 ended with status 1: CUDA out of memory while step 12 was made")
        )
        await until_shown(pilot, "✗ failed: rank 3 ended with status 1:")
        assert "was made" in screen_text(app)
