"""The PostgreSQL database that machines share a search in: its address without a password, and patience with it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, TypeVar

from cuello.core.errors import CuelloError, Fault, first_line
from cuello.core.progress import OnProgress, Progress

T = TypeVar("T")

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
EXAMPLE = "postgresql://USER@HOST/DATABASE"
PATIENCE = 300.0
"""Seconds for which a database that is away is waited for."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds before the first and, at most, before every later attempt to reach it."""
LOCK_SECONDS = 60
"""After so long whoever holds a lock, which is held for an instant, is one that is frozen or cut off."""
PASSING = ("25006", "25P03")
"""The server's words for states that pass: it only reads, as one that stands in for another at first; it has ended a
connection that was frozen while it held a lock.
"""
CONNECTION = {
    "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 30_000, "application_name": "cuello search",
}  # fmt: skip
"""How the driver connects, unless the address says otherwise: a server that vanished is noticed within a minute."""


class Database:
    """A database, and what is done while it cannot be reached.

    shown: its address without the password, for messages and files. lost: when it was last away, by this process's
    monotonic clock; never: -inf.
    """

    def __init__(self, address: str, watch: OnProgress):
        """Check an address; CuelloError where it is none, or no database that machines can share. Nothing connects."""
        rest = without_scheme(address)
        sqlalchemy = load_driver()
        try:
            self.url = sqlalchemy.make_url(f"postgresql+psycopg://{rest}")
        except (sqlalchemy.exc.ArgumentError, ValueError):
            raise CuelloError(f"database: got an address that cannot be read, needed {EXAMPLE}.") from None
        self.watch = watch
        self.lost = float("-inf")
        public = sqlalchemy.URL.create(
            "postgresql", username=self.url.username, host=self.url.host, port=self.url.port, database=self.url.database
        )
        self.shown = public.render_as_string()
        given = {name: value for name, value in CONNECTION.items() if name not in self.url.query}
        self.options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": given}
        self.engine: Any = sqlalchemy.create_engine(self.url, **self.options)

    def connect(self) -> None:
        """Connect once; Fault in the server's words where that fails, which says nothing of later."""
        try:
            with self.engine.connect():
                pass
        except Exception as error:
            raise Fault(
                f"the database {self.shown} cannot be reached: {self.words(error)}. Needed: a PostgreSQL server that "
                "runs, and a user who may use that database; a password stands in the file of PGPASSFILE, or in "
                "PGPASSWORD."
            ) from None

    def storage(self) -> Any:
        """Return Optuna's storage in this database; its tables are made where they are not there yet."""
        from optuna.storages import RDBStorage

        try:
            return RDBStorage(self.url.render_as_string(hide_password=False), engine_kwargs=dict(self.options))
        except RuntimeError as error:  # Optuna's own word on tables of another version
            raise CuelloError(
                f"the database {self.shown} was set up by another version of Optuna: {first_line(error)}"
            ) from None

    @contextmanager
    def alone(self, name: str) -> Iterator[Any]:
        """Let only one process at a time do what has this name: a transaction, whose connection is handed over."""
        from sqlalchemy import text

        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        with self.engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LOCK_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield connection

    def patiently(self, work: Callable[[], T]) -> T:
        """Do a piece of work that may be done again, waiting while the database is away, and saying so.

        Raises Fault where it stays away, and where it refuses, in its own words.
        """
        began, pause = None, FIRST_PAUSE
        while True:
            try:
                found = work()
            except Exception as error:
                if not is_the_databases(error):
                    raise
                words = self.words(error)
                if not is_away(error):
                    raise Fault(f"the database {self.shown} refuses: {words}. {GOES_ON}") from None
            else:
                if began is not None:
                    self.note(f"the database is there again, after {time.monotonic() - began:.0f} s.")
                return found
            self.lost = time.monotonic()
            if began is None:
                began = self.lost
                self.note(f"the database {self.shown} is away, waiting for it, at most {PATIENCE:.0f} s: {words}.")
            if self.lost - began >= PATIENCE:
                raise Fault(
                    f"the database {self.shown} is away, for {self.lost - began:.0f} s by now: {words}. {GOES_ON}"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def note(self, words: str) -> None:
        """Say something once."""
        self.watch(Progress("", note=words))

    def words(self, error: BaseException) -> str:
        """Return what the server or the driver says, in a line, never with the password."""
        if isinstance(error, KeyError):
            return "the search is not in it any more"
        while (inner := getattr(error, "orig", None) or error.__cause__) is not None:
            error = inner
        said = first_line(error).rstrip(".")
        return type(error).__name__ if self.url.password and self.url.password in said else said


GOES_ON = "What was trained is kept; once that is mended, the same command goes on."


def without_scheme(address: str) -> str:
    """Return an address without its kind of database; CuelloError where that is not PostgreSQL.

    >>> without_scheme("postgres://ann@db/searches")
    'ann@db/searches'
    """
    scheme, mark, rest = address.partition("://")
    if not mark or not re.fullmatch(r"[\w+]+", scheme):  # what was got is not repeated: it may hold a password
        raise CuelloError(f"database: got no address of a database, needed {EXAMPLE}.")
    if scheme in SCHEMES:
        return rest
    if scheme.startswith("sqlite"):
        why = " A file serves one machine, and without a database a search keeps a journal in its own folder."
    else:
        why = " Other drivers than psycopg are not used." if scheme.startswith("postgresql") else ""
    raise CuelloError(f"database: got one of {scheme}, needed PostgreSQL: {EXAMPLE}.{why}")


def load_driver() -> Any:
    """Import and return SQLAlchemy, with PostgreSQL's driver at hand; CuelloError where one is missing."""
    try:
        import optuna  # noqa: F401
        import psycopg  # noqa: F401
        import sqlalchemy
        import sqlalchemy.exc
    except ImportError as error:
        raise CuelloError(
            f"a database needs a package that is missing ({first_line(error)}): pip install 'cuello[postgres]'. "
            "Without a database a search is kept in its own folder."
        ) from None
    return sqlalchemy


def is_the_databases(error: BaseException) -> bool:
    """Tell whether an error comes from the database or the way to it."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    gone = isinstance(error, KeyError) and "Record does not exist" in str(error)  # Optuna's word on a removed study
    return gone or isinstance(error, SQLAlchemyError | StorageInternalError)


def is_away(error: BaseException) -> bool:
    """Tell whether an error may be gone later: no connection, a server that starts or stops, a disk that is full."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError, TimeoutError

    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OperationalError | InterfaceError | PendingRollbackError | TimeoutError):
            return True
        if isinstance(found, DBAPIError) and (
            found.connection_invalidated or getattr(found.orig, "sqlstate", None) in PASSING
        ):
            return True
        found = found.__cause__
    return False
