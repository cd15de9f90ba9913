"""A papermill engine whose kernels talk over local sockets and open no TCP port: ``papermill --engine orelib ...``."""

from __future__ import annotations

from papermill.engines import NBClientEngine

from orelib.utils.kernel import LocalKernelManager


class LocalSocketEngine(NBClientEngine):
    """papermill's usual engine with :class:`LocalKernelManager`."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **settings):
        return super().execute_managed_notebook(
            nb_man, kernel_name, kernel_manager_class=LocalKernelManager, **settings
        )
