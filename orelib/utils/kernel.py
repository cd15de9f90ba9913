"""The kernel of a headless notebook: ipykernel over local sockets, without a TCP port.

Kernels that start side by side can pick the same port, and then both hang; and other users of the machine can connect
to one. Local sockets have no ports, and lie in a folder that its owner alone may enter. papermill uses
:class:`LocalKernelManager` by :mod:`orelib.utils.headless`, and ``jupyter nbconvert --execute`` can be told to use it.

ipykernel listens on a loopback port for the output of forked processes, even if all else goes over local sockets. This
file, run by its path, takes the place of ``python -m ipykernel_launcher`` and has a local socket for that, too.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, whose modules are not top-level; ipykernel adds the folder of the notebook

import os
import tempfile
from pathlib import Path

import zmq
from ipykernel import kernelapp
from ipykernel.iostream import IOPubThread
from jupyter_client.manager import AsyncKernelManager
from traitlets import default
from zmq.eventloop.zmqstream import ZMQStream

LONGEST = 107 - len("/orelib-12345678/kernel-1-pipe")  # bytes of a folder: a socket's path has 107 at most


class LocalKernelManager(AsyncKernelManager):
    """Starts Python kernels by this file, each with sockets in a folder of its own.

    Jupyter's default is one socket name for all kernels of a folder.
    """

    folder: tempfile.TemporaryDirectory | None = None

    @default("transport")
    def _ipc(self) -> str:
        return "ipc"

    @default("ip")
    def _own_socket(self) -> str:
        self.folder = tempfile.TemporaryDirectory(prefix="orelib-", dir=_short_folder(), ignore_cleanup_errors=True)
        return f"{self.folder.name}/kernel"

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        command = super().format_kernel_cmd(extra_arguments)
        if "ipykernel_launcher" in command:  # no other language's kernel
            at = command.index("ipykernel_launcher")
            command[at - 1 : at + 1] = [__file__]  # behind -m
            command.append("--IPKernelApp.log_level=50")  # it logs the interruption before its end as an error
        return command

    def cleanup_connection_file(self) -> None:
        super().cleanup_connection_file()
        if self.folder is not None:
            self.folder.cleanup()


def _short_folder() -> str:
    """Returns the folder for temporary files, or another one if its path is too long for a socket in it.

    Raises OSError when there is no such folder.
    """
    folders = (tempfile.gettempdir(), "/tmp", "/var/tmp")
    for folder in folders:
        if len(os.fsencode(folder)) <= LONGEST and Path(folder).is_dir() and os.access(folder, os.W_OK):
            return folder
    raise OSError(f"{' and '.join(folders)} cannot hold a socket: set TMPDIR to a short path of a folder of yours")


class LocalIOPubThread(IOPubThread):
    """Takes what forked processes print from a local socket."""

    @property
    def _pipe_endpoint(self) -> str:
        return self._own_endpoint + "-pipe"

    def _setup_pipe_in(self) -> None:
        self._own_endpoint = self.socket.get_string(zmq.LAST_ENDPOINT)  # ipc://<folder>/<name>
        self._pipe_uuid = os.urandom(16)  # messages with this id are accepted
        pipe_in = self.socket.context.socket(zmq.PULL)
        pipe_in.linger = 0
        pipe_in.bind(self._pipe_endpoint)
        self._pipe_in = ZMQStream(pipe_in, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> tuple[zmq.Context, zmq.Socket]:
        context = zmq.Context()  # of its own, because a context does not survive a fork
        pipe_out = context.socket(zmq.PUSH)
        pipe_out.linger = 3000  # ms
        pipe_out.connect(self._pipe_endpoint)
        return context, pipe_out


if __name__ == "__main__":
    kernelapp.IOPubThread = LocalIOPubThread
    kernelapp.launch_new_instance()
