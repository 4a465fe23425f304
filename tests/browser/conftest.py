"""JupyterLab or Notebook in a real browser: a server on loopback, Chromium, no network.

    page = open_notebook("lab", kernel="nnfp", cells=["f x = 2 * x"])

opens a notebook that holds these cells, its kernel connected. `NNFP_SCREENSHOTS=DIR` keeps
a picture of every page as a test leaves it, to be looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

START_S = 90  # a loaded machine starts slowly
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server that knows the kernel and the extension: its address and its folder."""
    pytest.importorskip("jupyterlab")
    from nnfp_kernel.kernel.install import install, install_editor

    prefix = tmp_path_factory.mktemp("prefix")
    install(prefix=str(prefix))
    install_editor(prefix=str(prefix))
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    settings = home / "config" / "labconfig"
    settings.mkdir(parents=True)
    news = {"@jupyterlab/apputils-extension:announcements": True}
    (settings / "page_config.json").write_text(json.dumps({"disabledExtensions": news}))
    # What a busy kernel offers after a second would not be shown.
    patient = {"@jupyterlab/completer-extension:manager": {"providerTimeout": 1000 * START_S}}
    (settings / "default_setting_overrides.json").write_text(json.dumps(patient))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTER_PATH": os.pathsep.join(
            [str(prefix / "share" / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
        ),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--allow-root", "--ServerApp.token=", "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/api/status", server, home / "log")
        yield address, folder
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as play:
        arguments = ["--enable-unsafe-swiftshader", "--disable-background-networking"]
        made = play.chromium.launch(executable_path=chromium, args=[*arguments, "--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def open_saved(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Saves the page of a widget and opens it from disk, once `ready` holds in it. The page
    knows all requests that it made (`asked`); a mistake in it fails the test."""
    pages: list[Any] = []

    def open_(
        widget: Any, ready: str, dark: bool = False, motion: bool = True, height: int = 800
    ) -> Any:
        path = tmp_path / f"{len(pages)}.html"
        widget.save(path)
        page = browser.new_page(
            viewport={"width": 860, "height": height}, color_scheme="dark" if dark else "light",
            reduced_motion="no-preference" if motion else "reduce", bypass_csp=True,
        )  # fmt: skip
        pages.append(page)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function(ready)
        return page

    yield open_
    for page in pages:
        page.close()


@pytest.fixture
def open_notebook(
    jupyter: tuple[str, Path], browser: Any, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Opens notebooks; what is open at the end is closed, and its kernel shut down."""
    address, folder = jupyter
    pages: list[Any] = []
    name = re.sub(r"\W+", "_", request.node.name)

    def open_(
        application: str,
        kernel: str,
        cells: list[str],
        dark: bool = False,
        outputs: Sequence[list[dict[str, Any]]] = (),
    ) -> Any:
        file = folder / f"{name}_{len(pages)}.ipynb"
        notebook = _notebook(kernel, cells)
        for each, shown in zip(notebook["cells"], outputs, strict=False):
            each["outputs"] = shown  # as somebody else left them: they are not trusted
        file.write_text(json.dumps(notebook))
        page = browser.new_page(
            viewport={"width": 1100, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page.set_default_timeout(START_S * 1000)
        pages.append(page)
        place = {"lab": "lab/tree", "notebook": "notebooks"}[application]
        page.goto(f"{address}/{place}/{file.name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
        if application == "lab":
            page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/")
        else:
            page.wait_for_selector(".jp-NotebookKernelLogo")
        return page

    yield open_
    for k, page in enumerate(pages):
        if keep := os.environ.get("NNFP_SCREENSHOTS"):
            Path(keep).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{keep}/{name}_{k}.png")
        page.close()
    shut_down_all(address)


def shut_down_all(address: str) -> None:
    with urllib.request.urlopen(f"{address}/api/sessions") as found:
        sessions = json.load(found)
    for session in sessions:
        asked = urllib.request.Request(f"{address}/api/sessions/{session['id']}", method="DELETE")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(asked).close()


def _notebook(kernel: str, cells: list[str]) -> dict[str, Any]:
    known = {
        "nnfp": {
            "kernelspec": {"name": "nnfp", "display_name": "nnfp", "language": "nnfp"},
            "language_info": {"name": "nnfp", "mimetype": "text/x-nnfp"},
        },
        "python3": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    }
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": known[kernel],
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{k}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for k, source in enumerate(cells)
        ],
    }
