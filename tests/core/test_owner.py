"""Whose something is: this process, another that runs, one that has ended."""

import os
import platform
import subprocess
import sys
from dataclasses import replace

import pytest

from cuello.core.owner import Owner, start_of, this_process

COUNTS = os.path.isfile("/proc/self/stat")


def test_this_process_is_at_work() -> None:
    me = this_process()
    assert (me.pid, me.host, me.is_here, me.has_ended) == (os.getpid(), platform.node(), True, False)


@pytest.mark.skipif(not COUNTS, reason="the system does not say when a process began")
def test_another_process_of_the_same_number_is_another() -> None:
    assert replace(this_process(), start=this_process().start - 1).has_ended


def test_nobody_can_tell_of_another_machine() -> None:
    assert not Owner("elsewhere", 2**22 + 1, 5).has_ended


def test_a_killed_process_has_ended_before_its_parent_looks() -> None:
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1, stderr=-1)
    assert process.stdout is not None
    process.stdout.readline()
    owner = Owner(platform.node(), process.pid, start_of(process.pid) or 0)
    assert not owner.has_ended
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    if COUNTS:
        assert owner.has_ended
    process.communicate()
    assert owner.has_ended
