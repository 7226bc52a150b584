"""Kernels that begin with everything loaded: forked from one process that has imported it, once for all tests.

Most of the time of a short notebook goes into loading the same packages anew. What a test says about the notebook does
not depend on that; one that says how a kernel starts or ends takes a kernel as users have it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.loaded"])


class Forked:
    """A process that was forked, with what a provisioner asks a ``subprocess.Popen`` for."""

    stdin = stdout = stderr = None

    def __init__(self, work, *arguments):
        self._process = CONTEXT.Process(target=work, args=arguments, daemon=True)
        self._process.start()
        self.pid = self._process.pid

    def poll(self):
        return self._process.exitcode

    def wait(self):
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


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


def _kernel(words, env, cwd):
    """Be a kernel, in a session of its own, until it is ended or left alone."""
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["ipykernel_launcher", *words]
    IPKernelApp.launch_instance([*words, f"--IPKernelApp.parent_handle={os.getppid()}"])
