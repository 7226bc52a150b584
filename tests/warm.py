"""Kernels that begin with everything loaded.

What a test says about a notebook does not depend on how its kernel came to be; one that says how a kernel starts or
ends takes a kernel as users have it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from tests.forked import Forked


class Warm(LocalProvisioner):
    """Starts kernels by forking."""

    async def launch_kernel(self, cmd, *, env, cwd=None, **_):
        words = cmd[cmd.index("ipykernel_launcher") + 1 :]
        self.process = Forked(_kernel, words, dict(env), str(cwd or Path.cwd()))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


def use(monkeypatch):
    """Start the kernels of a test this way."""
    factory = KernelProvisionerFactory.instance()
    entry = EntryPoint("warm", "tests.warm:Warm", factory.GROUP_NAME)
    monkeypatch.setitem(factory.provisioners, entry.name, entry)
    monkeypatch.setattr(factory, "default_provisioner_name", entry.name)


def use_here():
    """Start the kernels of this process this way: one that was forked itself, whose parent forks for both."""
    multiprocessing.current_process()._config["daemon"] = False  # it may have children
    forkserver._forkserver.ensure_running = lambda: None  # its parent forks; no second one is started
    factory = KernelProvisionerFactory.instance()
    factory.provisioners["warm"] = EntryPoint("warm", "tests.warm:Warm", factory.GROUP_NAME)
    factory.default_provisioner_name = "warm"


def _kernel(words, env, cwd):
    """Be a kernel, in a session of its own, until it is ended or left alone."""
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["ipykernel_launcher", *words]
    IPKernelApp.launch_instance([*words, f"--IPKernelApp.parent_handle={os.getppid()}"])
