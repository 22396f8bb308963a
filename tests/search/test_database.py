"""Addresses of databases, which never show their password, and patience with one that is away."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from cuello.core.errors import CuelloError, Fault, at_command_line
from cuello.core.progress import silent
from cuello.search import database as databases
from cuello.search.database import Database, is_away, is_the_databases


@pytest.fixture(scope="module", autouse=True)
def driver() -> None:
    pytest.importorskip("psycopg")
    pytest.importorskip("optuna")


SECRET = "tell-nobody-3"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ann@db/searches", "postgresql://ann@db/searches"),
        (f"postgres://ann:{SECRET}@db:5433/searches", "postgresql://ann@db:5433/searches"),
        (f"postgresql+psycopg://db/searches?user=ann&password={SECRET}", "postgresql://db/searches"),
        ("postgresql:///searches", "postgresql:///searches"),
        (f"postgresql://ann:%7B{SECRET}%40%7D@[::1]:5433/searches", "postgresql://ann@[::1]:5433/searches"),
    ],
)
def test_an_address_is_shown_without_its_password(given: str, shown: str) -> None:
    found = Database(given, silent)
    assert found.shown == shown
    assert found.url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (f"ann:{SECRET}@db/searches", "got no address of a database, needed postgresql://USER@HOST/DATABASE"),
        (f"ann:{SECRET}@://db", "got no address"),
        ("", "got no address"),
        ("sqlite:///search.db", "got one of sqlite, needed PostgreSQL.*A file serves one machine"),
        (f"mysql+pymysql://ann:{SECRET}@db/searches", r"got one of mysql\+pymysql, needed PostgreSQL"),
        (f"postgresql+psycopg2://ann:{SECRET}@db/searches", r"psycopg2, needed PostgreSQL.*Other drivers than psycopg"),
        (f"postgresql://ann:{SECRET}@db:port/searches", "an address that cannot be read"),
    ],
)
def test_what_is_no_address_of_postgresql_is_refused_by_name(given: str, message: str) -> None:
    with pytest.raises(CuelloError, match=message) as caught:
        Database(given, silent)
    assert SECRET not in str(caught.value)
    with at_command_line():
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("missing", ["psycopg", "optuna", "sqlalchemy"])
def test_a_missing_driver_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CuelloError, match=r"pip install 'cuello\[postgres\]'"):
        Database("postgresql://ann@db/searches", silent)


def test_what_the_address_says_of_the_connection_wins() -> None:
    given = Database("postgresql://ann@db/searches?connect_timeout=3", silent).options["connect_args"]
    assert "connect_timeout" not in given
    assert given["keepalives_idle"] == 30


def away(words: str = "server closed the connection unexpectedly") -> Exception:
    from sqlalchemy.exc import OperationalError

    return OperationalError("SELECT 1", {}, Exception(words))


def refused() -> Exception:
    from sqlalchemy.exc import ProgrammingError

    return ProgrammingError("SELECT 1", {}, Exception("permission denied for table trials"))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by what is slept, and what was slept."""
    slept: list[float] = []
    monkeypatch.setattr(databases.time, "sleep", slept.append)
    monkeypatch.setattr(databases.time, "monotonic", lambda: 1000 + sum(slept))
    return slept


def test_a_database_that_comes_back_is_waited_for(waits: list[float]) -> None:
    told: list[str | None] = []
    found = Database("postgresql://ann@db/searches", lambda event: told.append(event.note))

    def work() -> str:
        if sum(waits) < 30:
            raise away()
        return "done"

    assert found.patiently(work) == "done"
    assert waits == [0.5, 1, 2, 4, 8, 10, 10], "30 s and more, ever longer, at most 10 s at once"
    assert found.lost == 1000 + sum(waits[:-1])
    assert told == [
        "the database postgresql://ann@db/searches is away, waiting for it, at most 300 s: server closed the "
        "connection unexpectedly.",
        "the database is there again, after 36 s.",
    ]


def test_one_that_stays_away_ends_the_search_with_what_to_do(waits: list[float]) -> None:
    def work() -> None:
        raise away()

    with pytest.raises(
        Fault, match=r"@db/searches is away, for 30\d s by now: server closed.*the same command goes on"
    ):
        Database("postgresql://ann@db/searches", silent).patiently(work)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (refused, "refuses: permission denied for table trials.*the same command goes on"),
        (lambda: KeyError("Record does not exist."), "refuses: the search is not in it any more"),
    ],
)
def test_what_waiting_does_not_mend_is_said_at_once(
    error: Callable[[], Exception], message: str, waits: list[float]
) -> None:
    def work() -> None:
        raise error()

    with pytest.raises(Fault, match=message):
        Database("postgresql://ann@db/searches", silent).patiently(work)
    assert waits == []


def test_other_errors_are_passed_on(waits: list[float]) -> None:
    def work() -> Any:
        return {}["nothing"]

    with pytest.raises(KeyError):
        Database("postgresql://ann@db/searches", silent).patiently(work)


def test_a_message_that_holds_the_password_is_not_repeated() -> None:
    found = Database(f"postgresql://ann:{SECRET}@db/searches", silent)
    assert found.words(away(f"bad option {SECRET!r}")) == "Exception"
    assert found.words(away()) == "server closed the connection unexpectedly"


def test_nobody_there_is_said_before_any_training() -> None:
    with pytest.raises(Fault, match=r"postgresql://ann@127.0.0.1:1/searches cannot be reached: .*refused.*PGPASSFILE"):
        Database(f"postgresql://ann:{SECRET}@127.0.0.1:1/searches", silent).connect()


def test_kinds_of_errors() -> None:
    from optuna.exceptions import StorageInternalError

    wrapped = StorageInternalError("An exception is raised during the commit.")
    wrapped.__cause__ = away()
    assert [is_away(error) for error in (away(), wrapped, refused())] == [True, True, False]
    assert [is_the_databases(error) for error in (away(), wrapped, refused(), KeyError("x"))] == [
        True,
        True,
        True,
        False,
    ]
