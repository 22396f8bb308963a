"""Which process something belongs to, and whether that is still at work."""

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process. host: its machine's name. start: when it began, in the machine's own count, 0 where that is unknown:
    numbers of processes are used again.
    """

    host: str
    pid: int
    start: int

    @property
    def mark(self) -> str:
        """The process in letters that every file's name can have."""
        machine = hashlib.blake2b(self.host.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
        return f"{self.pid}-{self.start}-{machine}"

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.host == platform.node()

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended; nobody can tell of another machine's."""
        return self.is_here and start_of(self.pid) not in (self.start, UNKNOWN)


UNKNOWN = 0


def this_process() -> Owner:
    """Return the process that this is; a forked one is another."""
    return Owner(platform.node(), os.getpid(), start_of(os.getpid()) or UNKNOWN)


def start_of(pid: int) -> int | None:
    """Return when a process of this machine began; UNKNOWN where the system does not say, None where there is none."""
    if Path("/proc/self/stat").is_file():
        try:
            state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except (OSError, ValueError):
            return None
        return None if state in "ZX" else int(fields[18])
    if os.name == "nt":  # signals there end a process
        return UNKNOWN
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return UNKNOWN
