"""What is built from a checkout works elsewhere as the checkout does."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What is no Python and must travel all the same.
DATA = ("nnfp_kernel/language/grammar.lark", "nnfp_kernel/std/layers.nnfp")
WIDGETS = ("training.js", "training.css")
KERNELSPEC = "share/jupyter/kernels/nnfp/"
SPEC = ("kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg")
EDITOR = "share/jupyter/labextensions/nnfp-editor/"

PROGRAM = """\
import nnfp_kernel, jax, numpy
assert "site-packages" in nnfp_kernel.__file__, nnfp_kernel.__file__
session = nnfp_kernel.Session()
session.run("net : R[3] ~> R[2]\\nnet = mlp[4, 2]")
net = session["net"]
weights = net.init(jax.random.key(0))
assert net.apply(weights, numpy.ones(3)).shape == (2,)
value, pullback = net.vjp(weights, numpy.ones(3))
assert pullback(numpy.ones(2))[1].shape == (3,)
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "nnfp_kernel")
assert "nnfp" in shell.magics_manager.magics["line"]
assert session.type("dense[2] >> sum") == "R[_n] ~> R"
print("works")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist, built from a copy of the tracked files."""
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return folder


def test_every_package_is_named_in_setup_cfg() -> None:
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg")
    named = set(read["options"]["packages"].split())
    mapped = {"nnfp_kernel": "", "magics": "nnfp_kernel.", "widgets": "nnfp_kernel."}
    folders = {
        prefix + ".".join(path.parent.relative_to(ROOT).parts)
        for top, prefix in mapped.items()
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert named == folders


@pytest.mark.slow
def test_a_wheel_and_an_sdist_have_all_that_is_no_python(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in DATA:
        assert name in names
    assert {f".data/data/{KERNELSPEC}{name}" for name in SPEC} <= {
        name[name.index(".data") :] for name in names if ".data/" in name
    }
    for data in (f".data/data/{EDITOR}", "nnfp_kernel/magics/editor/labextension/"):
        assert any(name.endswith(f"{data}package.json") for name in names)
        assert any(f"{data}static/remoteEntry" in name for name in names)
    assert "nnfp_kernel/magics/train.py" in names
    assert {f"nnfp_kernel/widgets/static/{name}" for name in WIDGETS} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "magics/", "widgets/"))]

    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {*DATA, "nnfp_kernel/kernel/spec/kernel.json", "magics/train.py"} <= packed
    assert {f"widgets/static/{name}" for name in WIDGETS} <= packed


@pytest.mark.slow
def test_a_wheel_installed_elsewhere_works(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    # What it depends on is borrowed from the environment of the tests; the checkout,
    # which an editable install puts there by a hook of its own, is not.
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *borrowed])}
    ran = subprocess.run(
        [python, "-c", PROGRAM],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "works\n"
    script = tmp_path / "venv" / "bin" / "nnfp"
    told = subprocess.run(
        [script, "--version"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert told.stdout.startswith("nnfp "), told.stderr
    for name in SPEC:
        assert (tmp_path / "venv" / KERNELSPEC / name).is_file()
