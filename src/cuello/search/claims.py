"""Who makes which trial: a row for each that is under way, with a heartbeat, in a table beside Optuna's.

Optuna's own heartbeats end a trial that has gone silent as failed, and begin a new one with another number. Here a
trial keeps its number, and with it its seed and its folder, and another machine goes on with it.
"""

import json
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cuello.core.owner import Owner
from cuello.search.database import Database, is_the_databases

BEAT, SILENT = 15.0, 120.0
"""Seconds between heartbeats, and after how many without one a trial is another's to take."""
ALIVE: set[str] = set()
"""The claimants of this process that are at work."""

TABLE = """
CREATE TABLE cuello_claims (
    trial_id integer PRIMARY KEY REFERENCES trials (trial_id) ON DELETE CASCADE,
    claimant text NOT NULL,
    place text NOT NULL,
    beat timestamp with time zone NOT NULL
)"""
TAKE = """
INSERT INTO cuello_claims (trial_id, claimant, place, beat) VALUES (:trial, :me, :place, clock_timestamp())
ON CONFLICT (trial_id) DO UPDATE SET claimant = excluded.claimant, place = excluded.place, beat = excluded.beat"""
LIST = """
SELECT trial_id, claimant, place,
    extract(epoch FROM clock_timestamp() - greatest(beat, pg_postmaster_start_time())) AS silent
FROM cuello_claims JOIN trials USING (trial_id) WHERE study_id = :study"""
"""A server that was away has heard nobody: silence counts from its start."""


@dataclass(frozen=True)
class SearchPlace:
    """Where a trial's folder is. folder: the search's, as it is called there. mark: tells two folders of one name."""

    owner: Owner
    folder: str
    mark: str

    def as_json(self) -> dict[str, str]:
        """Return it for a trial that is over."""
        return {"host": self.owner.host, "folder": self.folder, "mark": self.mark}


def place_of(text: str) -> SearchPlace:
    """Return a place from the text of a claim."""
    found = json.loads(text)
    return SearchPlace(Owner(**found["owner"]), str(found["folder"]), str(found["mark"]))


@dataclass(frozen=True)
class Claim:
    """A trial that somebody makes. silent: seconds since the last heartbeat."""

    claimant: str
    place: SearchPlace
    silent: float


class Claims:
    """What this search and others have claimed of a study, and the heartbeat of this one's."""

    def __init__(self, database: Database, place: SearchPlace):
        self.database, self.place, self.me = database, place, uuid.uuid4().hex
        self.ended = threading.Event()
        ALIVE.add(self.me)
        self.heart = threading.Thread(target=self.beat, name="heartbeat of a search", daemon=True)

    def make_table(self, connection: Any) -> None:
        """Make the table where it is not there yet; Optuna's are."""
        from sqlalchemy import text

        if connection.execute(text("SELECT to_regclass('cuello_claims')")).scalar() is None:
            connection.execute(text(TABLE))

    def take(self, connection: Any, trials: Sequence[int]) -> None:
        """Claim trials, by Optuna's own numbers of them, from whoever had them."""
        from sqlalchemy import text

        place = json.dumps(asdict(self.place))
        for trial in trials:
            connection.execute(text(TAKE), {"trial": trial, "me": self.me, "place": place})

    def all(self, connection: Any, study: int) -> dict[int, Claim]:
        """Return the claims of a study by trial."""
        from sqlalchemy import text

        rows = connection.execute(text(LIST), {"study": study})
        return {row.trial_id: Claim(row.claimant, place_of(row.place), float(row.silent)) for row in rows}

    def drop(self, connection: Any, trial: int | None = None) -> None:
        """Give up the claim on a trial, or on all of this search's."""
        from sqlalchemy import text

        which = "" if trial is None else " AND trial_id = :trial"
        connection.execute(
            text(f"DELETE FROM cuello_claims WHERE claimant = :me{which}"), {"me": self.me, "trial": trial}
        )

    def is_free(self, claim: Claim | None) -> bool:
        """Tell whether a trial that is under way can be claimed; None: nobody has it."""
        if claim is None:
            return True
        owner = claim.place.owner
        if owner == self.place.owner and claim.claimant not in ALIVE:  # an earlier call could not give it back
            return True
        if claim.place.mark == self.place.mark and owner.has_ended:  # killed, and started again here
            return True
        return claim.silent > SILENT and time.monotonic() - self.database.lost > SILENT

    def beat(self) -> None:
        """Tell, now and then, that this search is alive, until it has ended."""
        from sqlalchemy import text

        while not self.ended.wait(BEAT):
            try:
                with self.database.engine.begin() as connection:
                    connection.execute(
                        text("UPDATE cuello_claims SET beat = clock_timestamp() WHERE claimant = :me"), {"me": self.me}
                    )
            except Exception as error:
                if not is_the_databases(error):
                    raise
                self.database.lost = time.monotonic()

    def end(self) -> None:
        """Stop the heartbeat and give up all claims; where the database is away they fall silent."""
        self.ended.set()
        ALIVE.discard(self.me)
        if self.heart.is_alive():
            self.heart.join(timeout=1)  # one that waits for the server ends by itself
        if time.monotonic() - self.database.lost < BEAT:
            return
        try:
            with self.database.engine.begin() as connection:
                self.drop(connection)
        except Exception as error:
            if not is_the_databases(error):
                raise
        self.database.engine.dispose()
