"""Searches that machines share: a real PostgreSQL server that goes away, and processes that join and die."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import PASSWORD, Server

from cuello.core.errors import CuelloError, Fault, Interrupted
from cuello.core.owner import Owner, this_process
from cuello.core.progress import Progress
from cuello.search import Found, claims, database, page, search
from cuello.search import work as running
from cuello.search.claims import SearchPlace
from cuello.training.observers import EpochDone, Event, Started
from cuello.work import plans

RATES = {"learning_rate": [1e-3, 2e-3, 4e-3, 8e-3]}
RANGE = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "optimizer": ["sgd", "adam"]}
TINY: dict[str, Any] = {"model": "mlp:35-2", "epochs": 2, "batch_size": 16, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images, 5 wide and 7 high, black and nearly white, as an .npy file."""
    path = tmp_path_factory.mktemp("data") / "dots.npy"
    np.save(path, (np.random.default_rng(0).random((40, 7, 5)) > 0.5).astype(np.uint8) * 254)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train every trial by itself, draw no pictures, and wait for nobody longer than needed."""
    monkeypatch.setattr(plans, "batches_at_once", lambda *_, **__: [])
    monkeypatch.setattr(page, "pictures", lambda *_: [])
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(database, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(claims, "BEAT", 0.2)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the search of a test that no other test has."""
    return request.node.name[:200]


def searched(dots: Path, folder: Path, space: Any, **options: Any) -> Found:
    return search("reconstruct", dots, space=space, output=folder, **{**TINY, **options})


class Watch:
    """An observer that notes which trainings begin, and does something after an epoch of the so-manieth."""

    def __init__(self, training: int = 99, does: Callable[[], Any] = lambda: None, epoch: int = 1):
        self.training, self.does, self.epoch, self.starts = training, does, epoch, list[int]()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.starts.append(event.epoch)
        if isinstance(event, EpochDone) and len(self.starts) == self.training and event.record.epoch == self.epoch:
            self.does()


def study_of(server: Server, name: str) -> Any:
    """Open a search's study as Optuna's users do."""
    import optuna

    return optuna.load_study(study_name=name, storage=server.address.replace("postgresql:", "postgresql+psycopg:"))


def stop() -> None:
    raise KeyboardInterrupt


def values(found: Found) -> list[tuple[Any, ...]]:
    return [(trial.values, trial.state, trial.reached and trial.reached.objective) for trial in found.trials]


# One machine


@pytest.mark.parametrize(("sampler", "options"), [("grid", {}), ("random", {"trials": 4}), ("tpe", {"trials": 4})])
def test_alone_it_comes_to_what_a_search_in_a_folder_does(
    dots: Path, tmp_path: Path, server: Server, name: str, sampler: str, options: dict[str, Any]
) -> None:
    options = {**options, "sampler": sampler}
    space = {**RATES, "optimizer": ["sgd", "adam"]} if sampler == "grid" else RANGE
    here = searched(dots, tmp_path / "here", space, **options)
    there = searched(dots, tmp_path / "there", space, database=server.address, study_name=name, **options)
    assert values(there) == values(here)
    assert [trial.name for trial in there.trials] == [trial.name for trial in here.trials]
    study = study_of(server, name)
    assert [trial.params for trial in study.trials] == [trial.values for trial in here.trials]
    assert [trial.value for trial in study.trials] == [t.reached.objective for t in here.trials if t.reached]
    assert not server.ask("SELECT * FROM cuello_claims"), "what is over is nobody's"
    again = Watch()
    searched(dots, tmp_path / "there", space, database=server.address, study_name=name, observers=[again], **options)
    assert again.starts == []


def test_the_password_is_written_nowhere(
    dots: Path, tmp_path: Path, server: Server, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Progress] = []
    options: dict[str, Any] = {"database": server.address, "study_name": name, "progress": told.append}
    found = searched(dots, tmp_path / "search", RATES, **options)
    assert server.shown in found.page.read_text()
    with pytest.raises(CuelloError) as caught:
        searched(dots, tmp_path / "other", {"learning_rate": [1e-3, 2e-3]}, **options)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(PASSWORD.encode() in path.read_bytes() for path in files)
    assert PASSWORD not in str(told) + str(caught.value) + "".join(capfd.readouterr())
    assert not [row for row in server.ask("SELECT value_json FROM study_user_attributes") if PASSWORD in row[0]]


def test_the_password_may_come_from_the_surroundings(
    dots: Path, tmp_path: Path, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Fault, match=r"cannot be reached: .*password"):
        searched(dots, tmp_path / "search", RATES, database=server.shown, study_name=name)
    assert not (tmp_path / "search").exists()
    secret = tmp_path / "pgpass"
    secret.write_text(f"127.0.0.1:{server.port}:*:*:{PASSWORD}\n")
    secret.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(secret))
    assert len(searched(dots, tmp_path / "search", RATES, storage=server.shown, study_name=name).trials) == 4


def test_what_does_not_go_together_is_refused(dots: Path, tmp_path: Path, server: Server) -> None:
    with pytest.raises(CuelloError, match="study_name names a search in a database: add database"):
        searched(dots, tmp_path / "search", RATES, study_name="mine")
    with pytest.raises(CuelloError, match="got two databases, database and an address as storage"):
        searched(dots, tmp_path / "search", RATES, database=server.address, storage=server.address)
    for wrong in ("", "x" * 201, "two\nlines", "null\0"):
        with pytest.raises(CuelloError, match=r"study_name: got .*, needed 1 to 200 letters"):
            searched(dots, tmp_path / "search", RATES, database=server.address, study_name=wrong)


def test_at_the_command_line(
    dots: Path, tmp_path: Path, server: Server, name: str, command: Callable[..., Any], refused: Callable[..., str]
) -> None:
    """The address is a flag of its own, and is understood as --storage, which says where images are kept, as well."""
    tiny = ["--model", "mlp:35-2", "--epochs", 1, "--batch-size", 16, "--device", "cpu", "--threads", 1]
    flags = ["search", "reconstruct", dots, "--over", "learning-rate=1e-3,1e-2", "--study-name", name, *tiny]
    first = command(*flags, "--database", server.address, "-o", tmp_path / "a", "--json")
    second = command(*flags, "--storage", server.address, "-o", tmp_path / "b", "--json")
    assert (first.code, second.code) == (0, 0), first.error + second.error
    here, there = json.loads(first.out), json.loads(second.out)
    assert "where" not in here["best"]
    assert there["best"] == {**here["best"], "where": f"{this_process().host}:{(tmp_path / 'a').resolve()}"}
    assert (there["run"], there["command"]) == (here["run"], here["command"])
    wrong = refused(*flags, "--learning-rate", 1, "--database", server.address)
    other = refused(*flags[:4], "learning-rate=1e-3,1e-1", *flags[5:], "--database", server.address, "-o", "c")
    assert "leave out one of them" in wrong
    assert "or choose another name with --study-name" in other
    assert "--study-name names a search in a database: add --database" in refused(*flags, "-o", "c")
    assert PASSWORD not in first.out + first.error + second.out + second.error + wrong + other


# Two searches of one name


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({"learning_rate": [1e-3]}, {}, r"values of learning_rate = \[0.001, 0.002\], now it is \[0.001\]"),
        ({"learning_rate": [1e-3, 2e-3]}, {"epochs": 1}, "epochs = 2, now it is 1"),
        ({"learning_rate": [1e-3, 2e-3]}, {"repeats": 2}, "repeats = 1, now it is 2"),
        ({"learning_rate": [1e-3, 2e-3]}, {"sampler": "random"}, "sampler = 'grid', now it is 'random'"),
        ({"learning_rate": [1e-3, 2e-3]}, {"objective": "psnr"}, "objective = 'loss', now it is 'psnr'"),
    ],
)
def test_another_search_of_the_name_is_refused_with_what_differs(
    dots: Path, tmp_path: Path, server: Server, space: Any, options: dict[str, Any], message: str
) -> None:
    common: dict[str, Any] = {"database": server.address, "study_name": "one name"}
    searched(dots, tmp_path / "first", {"learning_rate": [1e-3, 2e-3]}, **common)
    with pytest.raises(CuelloError, match=f"{server.shown} holds a search 'one name' with {message}.*study_name"):
        searched(dots, tmp_path / "second", space, **common, **options)
    assert not (tmp_path / "second").exists()


def test_a_study_of_somebody_else_is_left_alone(dots: Path, tmp_path: Path, server: Server, name: str) -> None:
    import optuna

    theirs = optuna.create_study(study_name=name, storage=server.address.replace("postgresql:", "postgresql+psycopg:"))
    theirs.ask()
    with pytest.raises(CuelloError, match="that is none of Cuello's"):
        searched(dots, tmp_path / "search", RATES, database=server.address, study_name=name)
    assert len(theirs.trials) == 1


def test_a_folder_is_in_the_database_or_not(dots: Path, tmp_path: Path, server: Server, name: str) -> None:
    searched(dots, tmp_path / "search", RATES, database=server.address, study_name=name)
    with pytest.raises(CuelloError, match=f"with study_name = '.*{name[-9:-2]}.*', now it is None"):
        searched(dots, tmp_path / "search", RATES)
    with pytest.raises(CuelloError, match=r"with study_name = '.*', now it is 'other'"):
        searched(dots, tmp_path / "search", RATES, database=server.address, study_name="other")


# A database that goes away


def test_a_server_that_is_away_for_a_while_is_waited_for(dots: Path, tmp_path: Path, server: Server, name: str) -> None:
    told: list[str] = []

    def note(event: Progress) -> None:
        if event.note:
            told.append(event.note)
        if event.note and "is away" in event.note:
            threading.Timer(1, server.start).start()

    watch = Watch(2, server.stop)
    options: dict[str, Any] = {"sampler": "random", "trials": 4, "prune": True, "progress": note, "observers": [watch]}
    found = searched(dots, tmp_path / "search", RANGE, database=server.address, study_name=name, **options)
    assert [trial.state for trial in found.trials] == ["finished"] * 4
    assert watch.starts == [0] * 4, "the training in progress went on"
    assert [
        words.startswith(start) for words, start in zip(told, ("the database post", "the database is"), strict=True)
    ]
    assert "is there again, after" in told[-1]
    study = study_of(server, name)
    assert [sorted(trial.intermediate_values) for trial in study.trials] == [[1, 2]] * 4, "no epoch is missing"


def test_a_server_that_is_gone_ends_the_search_and_nothing_is_lost(
    dots: Path, tmp_path: Path, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.5)
    options: dict[str, Any] = {"database": server.address, "study_name": name}
    with pytest.raises(
        Fault, match=rf"{server.shown} is away, for \d+ s by now: .*What was trained is kept; once that is"
    ):
        searched(dots, tmp_path / "search", RATES, observers=[Watch(2, server.stop)], **options)
    states = [trial["state"] for trial in json.loads((tmp_path / "search" / "search.json").read_text())["trials"]]
    assert states == ["finished", "finished"], "the training in progress ended and is written down"
    with pytest.raises(Fault, match=r"cannot be reached: .*Connection refused"):
        searched(dots, tmp_path / "search", RATES, **options)
    server.start()
    watch = Watch()
    straight = searched(dots, tmp_path / "straight", RATES)
    whole = searched(dots, tmp_path / "search", RATES, observers=[watch], **options)
    assert watch.starts == [0, 0]
    assert values(whole) == values(straight)


def test_a_search_that_somebody_removed_is_said(dots: Path, tmp_path: Path, server: Server, name: str) -> None:
    import optuna

    def remove() -> None:
        optuna.delete_study(study_name=name, storage=server.address.replace("postgresql:", "postgresql+psycopg:"))

    with pytest.raises(Fault, match=r"refuses: .*not in it any more.*What was trained is kept"):
        searched(
            dots, tmp_path / "search", RATES, database=server.address, study_name=name, observers=[Watch(2, remove)]
        )
    assert not server.ask("SELECT * FROM cuello_claims")


def test_a_lock_that_a_frozen_process_holds_is_freed_and_it_claims_again(
    dots: Path, tmp_path: Path, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    told: list[str] = []
    listed, frozen = claims.Claims.all, [1.5]

    def freeze(self: claims.Claims, connection: Any, study: int) -> Any:
        found = listed(self, connection, study)
        time.sleep(frozen.pop() if frozen else 0)
        return found

    monkeypatch.setattr(claims.Claims, "all", freeze)
    found = searched(
        dots, tmp_path / "search", RATES, database=server.address, study_name=name,
        progress=lambda event: told.append(event.note or ""),
    )  # fmt: skip
    assert [trial.number for trial in found.trials] == [0, 1, 2, 3]
    assert "idle-in-transaction timeout" in "".join(told)
    assert len(study_of(server, name).trials) == 4


def test_a_database_that_was_lost_learns_what_the_folder_knows(
    dots: Path, tmp_path: Path, server: Server, name: str
) -> None:
    """Its trials are told again where they are what would be drawn, and made anew where they are not."""
    import optuna

    address = server.address.replace("postgresql:", "postgresql+psycopg:")
    options: dict[str, Any] = {"sampler": "random", "trials": 3, "database": server.address, "study_name": name}
    before = searched(dots, tmp_path / "search", RANGE, **options)
    optuna.delete_study(study_name=name, storage=address)
    content = json.loads((tmp_path / "search" / "search.json").read_text())
    content["trials"][1]["values"]["learning_rate"] = 0.05
    (tmp_path / "search" / "search.json").write_text(json.dumps(content))
    watch = Watch()
    after = searched(dots, tmp_path / "search", RANGE, observers=[watch], **options)
    assert values(after) == values(before)
    assert watch.starts == [], "its run directory was there and finished"
    assert len(study_of(server, name).trials) == 3


# Several at once


PROCESS = """
import json, sys, time
from pathlib import Path
from cuello.search import claims, page, search, work
from cuello.training.observers import Started
from cuello.work import plans

data, folder, me, searches = json.loads(sys.argv[1])
page.pictures = lambda *_: []
plans.batches_at_once = lambda *_, **__: []
work.LOOK_SECONDS, claims.BEAT = 0.1, 0.2

def made(notes, until, options):
    waited = False

    def observe(event):
        nonlocal waited
        if isinstance(event, Started):
            with open(notes / f"{me}.txt", "a") as file:
                print(event.epoch, file=file)
            end = time.monotonic() + 300
            while not waited and not all((notes / other).exists() for other in until) and time.monotonic() < end:
                time.sleep(0.05)
            waited = True

    found = search("reconstruct", data, observers=[observe], **options)
    return [[trial.number, trial.state, trial.name, trial.where] for trial in found.trials]

print(json.dumps([made(Path(folder, name), until, options) for name, until, options in searches]))
"""


def process(dots: Path, notes: Path, me: str, searches: Sequence[tuple[str, Sequence[str], dict[str, Any]]]) -> Any:
    """Begin a process that searches, once for each of ``searches``: the first training waits for files in its notes."""
    for name, _, _ in searches:
        (notes / name).mkdir(exist_ok=True, parents=True)
    given = [(name, until, {**TINY, **options}) for name, until, options in searches]
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, json.dumps([str(dots), str(notes), me, given], default=str)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def ended(one: Any) -> list[Any]:
    """Wait for a process and return the trials that it tells of."""
    out, error = one.communicate(timeout=400)
    assert one.returncode == 0, error
    return json.loads(out)


def starts(notes: Path, me: str) -> int:
    return len((notes / f"{me}.txt").read_text().split())


@pytest.fixture(scope="module")
def pair(dots: Path, tmp_path_factory: pytest.TempPathFactory, server: Server) -> tuple[Path, list[Any]]:
    """Two processes that join two searches, one with folders of their own, one with a shared one, and what they told.

    Each begins a first training before the other goes on, so that both take part.
    """
    folder = tmp_path_factory.mktemp("pair")
    both = ["a.txt", "b.txt"]
    space = {"learning_rate": [1e-3, 2e-3, 4e-3], "optimizer": ["sgd", "adam"]}
    grid = {"space": space, "database": server.address, "study_name": "folders of their own"}
    drawn = {"space": RANGE, "sampler": "random", "trials": 4, "database": server.address, "study_name": "one folder"}
    begun = [
        process(
            dots, folder / "notes", me,
            [("own", both, {**grid, "output": folder / me}), ("one", both, {**drawn, "output": folder / "one"})],
        )
        for me in "ab"
    ]  # fmt: skip
    return folder, [ended(one) for one in begun]


def test_processes_with_folders_of_their_own_share_the_trials(pair: tuple[Path, list[Any]]) -> None:
    folder, told = pair
    assert starts(folder / "notes" / "own", "a") + starts(folder / "notes" / "own", "b") == 6, "none is trained twice"
    for (me, other), (trials, _) in zip((("a", "b"), ("b", "a")), told, strict=True):
        assert [(number, state) for number, state, _, _ in trials] == [(number, "finished") for number in range(6)]
        here = sorted(path.name for path in (folder / me / "trials").iterdir())
        assert sorted(name for _, _, name, where in trials if not where) == here
        elsewhere = {(name, where) for _, _, name, where in trials if where}
        assert {where for _, where in elsewhere} == {f"{this_process().host}:{(folder / other).resolve()}"}
        assert all((folder / other / "trials" / name).is_dir() for name, _ in elsewhere)
        runs = [row["run"] for row in csv.DictReader((folder / me / "search.csv").read_text().splitlines())]
        assert sum(f":{(folder / other).resolve()}/trials/" in run for run in runs) == len(elsewhere) > 0
        page = (folder / me / "search.html").read_text()
        assert "The best of 6 trials" in page
        assert "where others lie stands in search.csv" in page


def test_processes_with_one_folder_write_down_all_trials(pair: tuple[Path, list[Any]]) -> None:
    folder, ((_, trials), (_, same)) = pair
    assert starts(folder / "notes" / "one", "a") + starts(folder / "notes" / "one", "b") == 4
    assert trials == same
    assert [where for _, _, _, where in trials] == [""] * 4, "all lie here"
    content = json.loads((folder / "one" / "search.json").read_text())
    assert (content["state"], len(content["trials"])) == ("finished", 4)
    assert len(list((folder / "one" / "trials").iterdir())) == 4
    assert not (folder / "one" / ".cuello-lock").exists()


def test_what_a_killed_process_made_is_made_again_once_it_is_silent(
    dots: Path, tmp_path: Path, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "SILENT", 2.0)
    notes, options = tmp_path / "notes", {"database": server.address, "study_name": name}
    mine = {**options, "space": RATES, "output": tmp_path / "a"}
    victim = process(dots, tmp_path, "a", [("notes", ["never"], mine)])
    wait_for(lambda: len(server.ask("SELECT claimant FROM cuello_claims")) == 1)
    before, since = server.ask("SELECT claimant FROM cuello_claims"), 0.0

    def kill(event: Progress) -> None:
        nonlocal since
        if "1 made by others" not in event.stage or victim.poll() is not None:
            return
        since = since or time.monotonic()
        if time.monotonic() - since > 2.5:
            assert server.ask("SELECT claimant FROM cuello_claims") == before, "its heart beats"
            victim.kill()
            victim.communicate(timeout=30)

    watch = Watch()
    found = searched(dots, tmp_path / "b", RATES, observers=[watch], progress=kill, **options)
    assert victim.poll() == -signal.SIGKILL
    assert [(trial.number, trial.state, trial.where) for trial in found.trials] == [
        (number, "finished", "") for number in range(4)
    ]
    assert (starts(notes, "a"), watch.starts) == (1, [0] * 4)


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 300
    while not there():
        assert time.monotonic() < end, "it took more than five minutes"
        time.sleep(0.05)


# Whose a trial is


def test_what_ctrl_c_leaves_is_anybodys_at_once(dots: Path, tmp_path: Path, server: Server, name: str) -> None:
    options: dict[str, Any] = {"database": server.address, "study_name": name}
    with pytest.raises(Interrupted, match="1 of 4 trials are done"):
        searched(dots, tmp_path / "a", RATES, observers=[Watch(2, stop)], **options)
    watch = Watch()
    found = searched(dots, tmp_path / "b", RATES, observers=[watch], **options)
    assert watch.starts == [0] * 3
    assert [bool(trial.where) for trial in found.trials] == [True, False, False, False]
    again = searched(dots, tmp_path / "a", RATES, observers=[watch], **options)
    assert watch.starts == [0] * 3
    assert [bool(trial.where) for trial in again.trials] == [False, True, True, True]


def test_a_killed_search_goes_on_in_its_folder_at_once(dots: Path, tmp_path: Path, server: Server, name: str) -> None:
    """Its claims are those of a process of this machine that is there no more."""
    options: dict[str, Any] = {"database": server.address, "study_name": name, "output": tmp_path / "search"}
    victim = process(dots, tmp_path, "a", [("notes", ["never"], {**options, "space": RATES})])
    wait_for(lambda: len(server.ask("SELECT claimant FROM cuello_claims")) == 1)
    victim.kill()
    victim.communicate(timeout=30)
    del options["output"]
    watch = Watch()
    found = searched(dots, tmp_path / "search", RATES, observers=[watch], **options)
    assert len(watch.starts) == 4
    assert [trial.number for trial in found.trials] == [0, 1, 2, 3]


def test_a_machine_that_was_silent_leaves_the_trial_to_who_took_it_over(
    dots: Path, tmp_path: Path, server: Server, name: str
) -> None:
    """As after a night in which a laptop slept."""
    told: list[str] = []
    options: dict[str, Any] = {"database": server.address, "study_name": name}

    def overtake() -> None:
        there = '{"owner": {"host": "elsewhere", "pid": 1, "start": 1}, "folder": "/there", "mark": "n"}'
        server.ask("UPDATE cuello_claims SET claimant = 'another', place = %s", there)
        threading.Timer(1, lambda: server.ask("DELETE FROM cuello_claims")).start()  # which gives it up in the end

    found = searched(
        dots, tmp_path / "a", RATES, observers=[Watch(2, overtake, epoch=2)],
        progress=lambda event: told.append(event.note or ""), **options,
    )  # fmt: skip
    assert [trial.state for trial in found.trials] == ["finished"] * 4
    assert [words for words in told if words] == [
        "trial 1 was given to another machine, because this one had not been heard of for 120 s: what it came to there "
        "counts, and its folder here stays."
    ]


def test_silence_counts_from_the_servers_start_and_not_while_it_was_away(server: Server) -> None:
    mine = claims.Claims(
        database.Database(server.address, lambda event: None), SearchPlace(this_process(), "/here", "m")
    )
    stranger = SearchPlace(Owner("elsewhere", 1, 1), "/there", "n")
    assert mine.is_free(None)
    assert mine.is_free(claims.Claim("x", stranger, 121.0))
    assert not mine.is_free(claims.Claim("x", stranger, 119.0))
    mine.database.lost = time.monotonic()
    assert not mine.is_free(claims.Claim("x", stranger, 999.0)), "everybody else was cut off as well"
    gone = SearchPlace(Owner(this_process().host, 2**22 + 1, 1), "/here", "m")
    assert mine.is_free(claims.Claim("x", gone, 0.0)), "killed on this machine, and begun again in its folder"
    assert not mine.is_free(claims.Claim("x", SearchPlace(gone.owner, "/there", "n"), 0.0)), "another folder's"
    mine.end()
