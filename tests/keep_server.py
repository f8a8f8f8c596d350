"""Runs PostgreSQL for as long as a test run lives, and stops it whatever that run's end: normal, Ctrl-C or kill -9.

The tests hold the writing end of a named pipe. When the last of them is gone, reading the pipe here meets its end: the
server is stopped and the run's folder, which holds the pipe, removed. Standard library only, so that it starts at once.

    python keep_server.py <named pipe> <folder> <uid> <gid> <server command…>
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 10
LOOK_SECONDS = 0.2


def keep(pipe: Path, folder: Path, user: int, group: int, command: list[str]) -> None:
    """Run `command` as `user` until nobody holds `pipe` any more, or until it ends by itself (a crash test killed it)."""
    identity = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, **identity
        )
    # Without O_NONBLOCK, opening would wait for ever for tests that are already dead.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    while server.poll() is None:
        readable, _, _ = select.select([reader], [], [], LOOK_SECONDS)
        if readable and os.read(reader, 1) == b"":
            break
    else:
        (folder / "stopped").touch()
        return

    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    shutil.rmtree(pipe.parent, ignore_errors=True)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()
    keep(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
