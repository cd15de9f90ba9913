"""A Slurm cluster of a few virtual nodes on the loopback interface of one machine, from Debian's packages.

``apt-get install slurm-wlm slurmdbd mariadb-server munge`` has all it needs. It runs as root, beside no other Slurm:
its settings lie in a temporary folder, but links in ``/etc/slurm`` lead to them while it runs, because Snakemake's
plugin takes ``SLURM_CONF`` out of the environment of a job. Every daemon is ended with it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sacct")
SETTINGS = (Path("/etc/slurm/slurm.conf"), Path("/etc/slurm/slurmdbd.conf"))
PATIENCE = 60.0  # seconds that a daemon may take to answer
NODE_MB = 6000  # promised to jobs by each node; more than their sum is not checked


def missing_programs() -> list[str]:
    """Returns the names of the programs that a cluster needs and this machine lacks."""
    return [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]


class LocalSlurm:
    """A cluster with ``nodes`` nodes called node1, node2, ... of ``cores`` cores each, in a temporary folder.

    A context manager. Raises FileExistsError where this machine has a Slurm already.
    """

    def __init__(self, nodes: int = 3, cores: int = 2):
        self.nodes, self.cores = nodes, cores
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)  # munged demands it
        self._daemons: dict[str, subprocess.Popen] = {}
        self._stack = ExitStack()

    def __enter__(self) -> LocalSlurm:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for settings in SETTINGS:
                settings.symlink_to(self.folder / settings.name)
                stack.callback(settings.unlink)
            stack.callback(self._end_all)
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def command(self, *words: str) -> str:
        """Runs a Slurm command, such as ``squeue``, and returns what it prints."""
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def kill_node(self, name: str) -> None:
        """Ends a node as a power failure does: its daemon and all jobs on it. Slurm is told that it is down."""
        daemon = self._daemons.pop(name)
        _kill(daemon.pid)
        daemon.wait()
        for process in self._jobs_on(name):
            _kill(process)
        self.command("scontrol", "update", f"nodename={name}", "state=down", "reason=killed")

    def start_node(self, name: str) -> None:
        """Starts a node, also one that was killed, and waits until it takes jobs."""
        self._run(name, "slurmd", "-D", "-N", name, SLURMD_NODENAME=name)
        wait_until(lambda: self._answers(name), f"{name} does not answer")

    def _start(self) -> None:
        for name in ("munge", "mysql", "slurm", *(f"spool-{node}" for node in self._names())):
            (self.folder / name).mkdir(parents=True)
        self._write_settings()
        self._start_munge()
        self._start_accounting()
        self._run("slurmctld", "slurmctld", "-D", "-i")
        wait_until(lambda: "UP" in self._says("scontrol", "ping"), "slurmctld does not answer")
        for node in self._names():
            self.start_node(node)

    def _names(self) -> list[str]:
        return [f"node{number + 1}" for number in range(self.nodes)]

    def _write_settings(self) -> None:
        folder, control, accounts, *ports = (self.folder, *_free_ports(2 + self.nodes))
        munge = f"AuthInfo=socket={folder}/munge/socket"
        nodes = "\n".join(
            f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} CPUs={self.cores} "
            f"RealMemory={NODE_MB} State=UNKNOWN"
            for name, port in zip(self._names(), ports, strict=True)
        )
        (folder / "slurm.conf").write_text(f"""\
ClusterName=loopback
SlurmctldHost={socket.gethostname()}(127.0.0.1)
SlurmctldPort={control}
AuthType=auth/munge
{munge}
SlurmUser=slurm
SlurmdUser=root
StateSaveLocation={folder}/slurm
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurm/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurm/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounts}
AccountingStoragePass={folder}/munge/socket
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
ReturnToService=2
MpiDefault=none
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""")
        (folder / "slurmdbd.conf").write_text(f"""\
AuthType=auth/munge
{munge}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounts}
SlurmUser=slurm
PidFile={folder}/slurm/slurmdbd.pid
LogFile={folder}/slurm/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm
""")
        (folder / "slurmdbd.conf").chmod(0o600)
        for path in (folder / "slurm", folder / "slurmdbd.conf"):
            shutil.chown(path, "slurm", "slurm")

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o600)
        munge.chmod(0o755)
        names = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
        self._run("munged", "munged", "--foreground", f"--socket={munge / 'socket'}", *names)
        wait_until(lambda: (munge / "socket").exists(), "munged does not answer")

    def _start_accounting(self) -> None:
        mysql, user = self.folder / "mysql", pwd.getpwnam("mysql")
        os.chown(mysql, user.pw_uid, user.pw_gid)
        where = [f"--datadir={mysql}/data", "--user=mysql"]
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", *where, "--auth-root-authentication-method=socket"],
            check=True, capture_output=True,
        )  # fmt: skip
        socket_file = mysql / "socket"
        small = ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", "--skip-networking"]
        self._run(
            "mariadbd", "mariadbd", "--no-defaults", *where, f"--socket={socket_file}",
            f"--pid-file={mysql}/pid", *small,
        )  # fmt: skip
        ask = ["mariadb", f"--socket={socket_file}", "-e"]
        wait_until(lambda: self._says(*ask, "select 1"), "mariadbd does not answer")
        granted = "create user slurm@localhost identified via unix_socket; grant all on slurm.* to slurm@localhost"
        self.command(*ask, granted)
        self._run("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=str(socket_file))
        wait_until(lambda: self._says("sacctmgr", "-n", "list", "cluster"), "slurmdbd does not answer")
        self.command("sacctmgr", "-i", "add", "cluster", "loopback")
        self.command("sacctmgr", "-i", "add", "account", "ore")
        self.command("sacctmgr", "-i", "add", "user", pwd.getpwuid(os.getuid()).pw_name, "account=ore")

    def _jobs_on(self, node: str) -> list[int]:
        """Process numbers of what Slurm has started on a node: first the programs that watch jobs, then the jobs."""
        watching, jobs, daemons = [], [], {daemon.pid for daemon in self._daemons.values()}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                about = process.environ()
                if about.get("SLURMD_NODENAME") == node and process.pid not in daemons:
                    jobs.append(process.pid)
                    if "slurmstepd" in " ".join(process.parent().cmdline()):  # its own environment cannot be read
                        watching.append(process.ppid())
        return [*watching, *jobs]

    def _answers(self, node: str) -> bool:
        state = self._says("sinfo", "-h", "-N", "-n", node, "-o", "%T") or ""
        return state.strip() in ("idle", "mixed", "allocated")

    def _says(self, *words: str) -> str:
        """What a command prints, nothing while it fails."""
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return "" if done.returncode else done.stdout or " "

    def _run(self, key: str, program: str, *options: str, **environment: str) -> None:
        path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
        with open(self.folder / f"{key}.out", "ab") as out:
            self._daemons[key] = subprocess.Popen(
                [path, *options], env=os.environ | environment, stdout=out, stderr=out, start_new_session=True
            )

    def _end_all(self) -> None:
        for node in self._names():
            for process in self._jobs_on(node):
                _kill(process)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, 9)


def wait_until(done: Callable[[], object], complaint: str, patience: float = PATIENCE) -> None:
    """Returns when ``done`` does; RuntimeError with the complaint when it does not within ``patience`` seconds."""
    end = time.monotonic() + patience
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"{complaint} after {patience:g} s")
        time.sleep(0.3)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
