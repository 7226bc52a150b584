"""Kernels of the running interpreter, whatever is installed for Jupyter on this machine."""

from __future__ import annotations

import sys

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager


class ThisInterpreter(KernelSpecManager):  # type: ignore[misc,unused-ignore]  # traitlets metaclass
    """Answers every question for a kernel with one of the running interpreter; no installed kernelspec is needed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec of this interpreter's kernel."""
        # without history no two kernels wait for one sqlite file
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        return KernelSpec(
            argv=argv, display_name=kernel_name, language="python", metadata={"supported_encryption": "curve"}
        )


class Manager(AsyncKernelManager):  # type: ignore[misc,unused-ignore]  # traitlets metaclass
    """A manager that ends a kernel without interrupting it first: one that is idle would say so on the terminal."""

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


def encryption() -> dict[str, str]:
    """Return the option that encrypts what the kernel and we say to each other, where both know it."""
    import zmq
    from ipykernel.kernelapp import IPKernelApp

    both = AsyncKernelManager.class_trait_names() + IPKernelApp.class_trait_names()
    is_known = {"transport_encryption", "curve_secretkey"} <= set(both) and zmq.has("curve")
    return {"transport_encryption": "auto"} if is_known else {}
