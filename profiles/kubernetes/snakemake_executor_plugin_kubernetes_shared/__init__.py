"""Snakemake's executor for Kubernetes, with a volume that all pods and Snakemake itself share, under one path.

The plugin ``snakemake-executor-plugin-kubernetes`` mounts such a volume, but still says that nothing is shared.
Snakemake then asks for a storage provider, which would carry only declared outputs from pod to pod, not the run folders
of the kit. This one differs from it in nothing else. Snakemake finds it with this folder's parent in PYTHONPATH.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

import snakemake_executor_plugin_kubernetes as plugin
from snakemake_executor_plugin_kubernetes import ExecutorSettings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

common_settings = replace(
    plugin.common_settings,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
)


class Executor(plugin.Executor):
    """Runs each job in a pod, in the folder in which Snakemake itself was started."""

    def get_job_exec_prefix(self, job: object) -> str:
        """Returns a command that comes before the job's; a pod starts in an empty folder of its own."""
        return f"cd {shlex.quote(os.getcwd())}"
