"""sbatch's options on our command line: passed on, but for those that would not do what they say."""

from __future__ import annotations

import json

import pytest

from vlmft_console.places.place import Slurm, as_json, from_json, spread
from vlmft_console.places.slurm_options import (
    check_environment,
    check_options,
    notice_seconds,
    parse_options,
    ranks_per_node,
)
from vlmft_core.errors import VlmftError
from vlmft_core.preset.schema import Hardware


def test_options_are_read_with_commas_in_their_values() -> None:
    said = ["partition=gpu,nodelist=n1,n2,exclusive", "time=1-12:00:00", "--mem=0"]
    assert parse_options(said) == {
        "partition": "gpu",
        "nodelist": "n1,n2",
        "exclusive": "",
        "time": "1-12:00:00",
        "mem": "0",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' has no value"),
        ("gpu", "'gpu' has no value"),
        ("exclusive,gpu", "'gpu' has no value"),
        ("nodes=2,nodes=3", "nodes is there twice"),
        ("Nodes=2", "'Nodes' is no long option"),
        ("N 2=3", "'N 2' is no long option"),
        ("nodes=2-4", "nodes=2-4: ranks are a fixed number"),
        ("partition=", "partition has no value"),
        ("gpus-per-node=a100:4,h100:4", "gpu:a100:4,h100:4: ranks are a fixed number"),
        ("gres=gpu:a100:4,gpu:h100:4", "gpu:a100:4,gpu:h100:4: ranks are a fixed number"),
        ("nodes=0", "nodes=0: ranks are a fixed number"),
        ("ntasks=16", "ntasks cannot be used"),
        ("gpus-per-task=1", "every rank has to see all GPUs"),
        ("array=1-4", "start a run for each"),
        ("output=x", "output is set by vlmft"),
        ("wrap=rm", "wrap is set by vlmft"),
        ("requeue", "requeue is set by vlmft, or of no use to it (leave it out)"),
        ("-N 2", "'-N 2' is no long option of sbatch (write it without --, such as nodes=2)"),
        ("--nodes 2", "'nodes 2' is no long option of sbatch"),
        ("gpus-per-node=0", "gpu:0: ranks are a fixed number"),
        ("gres=gpu:a100:0", "gpu:a100:0: ranks are a fixed number"),
        ("signal=B:TERM@0", "write signal=B:TERM@SECONDS"),
        ("signal=B:TERM@600,time=10", "the time limit is 600 s (say fewer seconds)"),
        ("signal=USR1@60", "write signal=B:TERM@SECONDS"),
        ("comment=a\nb", "cannot be passed on"),
        ("nodes=2,", "there is a comma too many"),
        ("mail-type=END,,FAIL", "there is a comma too many"),
        ("arr=1-4", "arr is short for array (write it in full)"),
        ("outp=x", "outp is short for output"),
        ("ntasks-per-n=8", "ntasks-per-n is short for ntasks-per-node"),
        ("sig=USR1@60", "sig is short for signal"),
        ("clusters=other", "submit from a login node there"),
        ("export-file=x", "the run needs the environment"),
        ("gpu-bind=single:1", "every rank has to see all GPUs of its node: leave it out"),
        ("container-image=x", "places.yaml has `srun` and `prefix` for the ranks alone"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(VlmftError) as caught:
        check_options(parse_options([text]))
    assert message in str(caught.value)


@pytest.mark.parametrize("option", ["gres-flags=enforce-binding", "time-min=10", "wait-all-nodes=1", "contiguous"])
def test_an_option_that_only_begins_like_one_of_ours_is_passed_on(option: str) -> None:
    check_options(parse_options([option]))


def test_a_variable_that_sbatch_would_take_for_such_an_option_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_environment()
    monkeypatch.setenv("SBATCH_TIMELIMIT", "10")
    monkeypatch.setenv("SLURM_EXPORT_ENV", "ALL")
    check_environment()
    for name in ("SBATCH_ARRAY_INX", "SBATCH_ERROR", "SBATCH_EXPORT", "SBATCH_WAIT"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "NONE")
            with pytest.raises(VlmftError, match=rf"^{name} is in the environment, .* \(unset {name}\)$"):
                check_environment()


@pytest.mark.parametrize(
    ("text", "each"),
    [
        ("gpus-per-node=8", 8),
        ("gpus-per-node=h100:4", 4),
        ("gres=gpu:2", 2),
        ("gres=gpu:a100:2", 2),
        ("gres=lscratch:100,gpu:2", 2),
        ("gres=gpu", 1),
        ("gres=gpu:a100", 1),
        ("gres=shard:2", None),
        ("ntasks-per-node=3", 3),
        ("ntasks-per-node=4,gpus-per-node=4", 4),
        ("mem=10", None),
    ],
)
def test_each_gpu_of_a_node_gets_a_rank(text: str, each: int | None) -> None:
    assert ranks_per_node(parse_options([text])) == each


def test_more_ranks_than_gpus_are_refused() -> None:
    with pytest.raises(VlmftError, match="ntasks-per-node=2 on 8 GPUs a node"):
        ranks_per_node({"ntasks-per-node": "2", "gpus-per-node": "8"})


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("24:00:00", 300),
        ("", 300),
        ("UNLIMITED", 300),
        ("10", 150),
        ("2:00", 30),
        ("00:08:00", 120),
        ("0-0:4", 60),
        ("1-0", 300),
    ],
)
def test_the_notice_before_the_time_limit_is_five_minutes_or_a_quarter_of_it(time: str, seconds: int) -> None:
    assert notice_seconds({"time": time}) == seconds


def test_ranks_are_spread_evenly_over_the_nodes() -> None:
    hardware = Hardware(gpus=8)
    place, ranks = spread(Slurm({"nodes": "2"}), None, hardware)
    assert ranks == 8
    assert place.options == {"nodes": "2", "ntasks-per-node": "4", "gpus-per-node": "4"}
    place, ranks = spread(Slurm({"nodes": "2", "gpus-per-node": "8"}), None, hardware)
    assert (ranks, place.options["ntasks-per-node"]) == (16, "8")
    place, ranks = spread(Slurm({}), 3, Hardware(gpus=8, device="cpu"))
    assert (ranks, place.options) == (3, {"nodes": "1", "ntasks-per-node": "3"})
    with pytest.raises(VlmftError, match="8 GPUs cannot be spread evenly over 3 nodes"):
        spread(Slurm({"nodes": "3"}), None, hardware)
    with pytest.raises(VlmftError, match="--gpus 8: 2 nodes with 8 each are 16"):
        spread(Slurm({"nodes": "2", "gpus-per-node": "8"}), 8, hardware)


@pytest.mark.parametrize(
    "name", ["ignore-pbs", "x11", "stepmgr", "resv-ports", "oom-kill-step", "spread-segments", "consolidate-segments"]
)
def test_an_option_that_needs_no_value_is_taken_without_one(name: str) -> None:
    options = parse_options([f"nodes=2,{name},partition=gpu"])
    assert options == {"nodes": "2", name: "", "partition": "gpu"}
    check_options(options)


def test_a_place_is_kept_whole_and_anything_else_is_refused() -> None:
    place = Slurm({"nodes": "2"}, ("module load cuda",), ("--mpi=none",), ("apptainer",), "/venv/python", "c", "12", 1)
    assert from_json(json.loads(json.dumps(as_json(place)))) == place
    assert from_json(None) is None
    assert from_json({"kind": "slurm", "options": {}}) == Slurm({})  # of an older version
    for other in ([], {}, {"kind": "moon"}, 3, {"kind": "slurm", "options": 3}, {"kind": "slurm", "job": None}):
        with pytest.raises(VlmftError, match=r"^place: "):
            from_json(other)
