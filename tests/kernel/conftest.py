"""One kernel in a process of its own, over its sockets, for all tests of it: starting one
takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from kernel.messages import started

from nnfp_kernel.kernel.install import install


@pytest.fixture(scope="session")
def specs(tmp_path_factory: pytest.TempPathFactory) -> KernelSpecManager:
    """The kernel as `nnfp install --prefix` makes it known."""
    folder = tmp_path_factory.mktemp("kernel")
    install(prefix=str(folder))
    return KernelSpecManager(kernel_dirs=[str(Path(folder) / "share/jupyter/kernels")])


@pytest.fixture(scope="session")
def manager(specs: KernelSpecManager) -> Iterator[KernelManager]:
    made = KernelManager(kernel_name="nnfp", kernel_spec_manager=specs)
    made.start_kernel(extra_arguments=["--log-level=40", "--HistoryManager.hist_file=:memory:"])
    yield made
    made.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def client(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    made = started(manager)
    yield made
    made.stop_channels()
