"""A papermill engine whose kernels talk over local sockets instead of TCP ports.

Kernels that start side by side can pick the same port, and then both hang; local sockets have no ports and are
closed to other machines. ``papermill --engine orelib ...`` uses it; plain ``papermill`` works as well, one at a time.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory

from papermill.engines import NBClientEngine
from traitlets.config import Config


class LocalSocketEngine(NBClientEngine):
    """papermill's usual engine with Jupyter's ``ipc`` transport."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **settings):
        # A folder of its own for each kernel: Jupyter's default is one socket name for all kernels of a folder.
        with TemporaryDirectory(prefix="orelib-", ignore_cleanup_errors=True) as folder:
            config = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})
            return super().execute_managed_notebook(nb_man, kernel_name, config=config, **settings)
