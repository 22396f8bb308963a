"""Who a process is among several, as the environment says."""

import pytest

from cuello.core.errors import CuelloError
from cuello.training.ranks.place import RENDEZVOUS, RankPlace, first_node, place_of

MET = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
STEP = {
    "SLURM_JOB_ID": "41", "SLURM_STEP_ID": "1", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "node[07-08]", "SLURM_NTASKS": "8",
}  # fmt: skip


def test_a_process_by_itself_has_no_place() -> None:
    assert place_of({}) is None
    assert place_of({"RANK": "0", "WORLD_SIZE": "1"}) is None
    assert place_of({"RANK": "3"}) is None


def test_torchruns_variables() -> None:
    found = place_of({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", **MET})
    assert found == RankPlace(3, 4, 1, meeting="env://", started_by="torchrun")


def test_ranks_of_one_machine_meet_in_a_file() -> None:
    found = place_of({"RANK": "1", "WORLD_SIZE": "2", RENDEZVOUS: "/tmp/x/meeting"})
    assert found == RankPlace(1, 2, 1, meeting="file:///tmp/x/meeting", started_by="--ranks")


def test_a_step_of_slurm() -> None:
    assert place_of(STEP) == RankPlace(3, 4, 1, meeting="tcp://node07:20042", started_by="srun")
    assert place_of({**STEP, **MET}) == RankPlace(3, 4, 1, meeting="tcp://127.0.0.1:29500", started_by="srun")


def test_a_batch_script_of_slurm_outside_of_a_step_trains_by_itself() -> None:
    assert place_of({name: value for name, value in STEP.items() if "STEP" not in name}) is None
    assert place_of({**STEP, "SLURM_STEP_NUM_TASKS": "1"}) is None


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RANK": "0", "WORLD_SIZE": "2"}, "MASTER_ADDR and MASTER_PORT do not say"),
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "a"}, "MASTER_PORT do not say"),
        ({"RANK": "2", "WORLD_SIZE": "2", **MET}, "RANK is 2 and WORLD_SIZE is 2: needed 0 to 1"),
        ({"RANK": "-1", "WORLD_SIZE": "2", **MET}, "RANK is '-1', needed a whole number"),
        ({"RANK": "0", "WORLD_SIZE": "two", **MET}, "WORLD_SIZE is 'two'"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "", **MET}, "LOCAL_RANK is ''"),
        ({"RANK": "0", "WORLD_SIZE": "0", **MET}, "needed 0 to -1"),
        ({**STEP, "SLURM_PROCID": "4"}, "SLURM_PROCID is 4"),
        ({**STEP, "SLURM_STEP_NODELIST": ""}, "names no node"),
    ],
)
def test_variables_that_cannot_be_are_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(CuelloError) as error:
        place_of(environment)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("nodes", "first"), [("a", "a"), ("a,b", "a"), ("n[3,5-6]", "n3"), ("n[001-100]-ib,m", "n001-ib"), ("", "")]
)
def test_the_first_node_of_a_list(nodes: str, first: str) -> None:
    assert first_node(nodes) == first
