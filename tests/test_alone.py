"""Each chapter runs alone: in an empty folder, with the package from its wheel."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from filelock import FileLock
from helpers import NOTEBOOKS, PATIENCE, ROOT

NEEDS_A_CLONE = {  # they are about files that only the repository has
    '27_demo', '28_handwriting', '35_widgets',
}
ALONE = [path for path in NOTEBOOKS if path.stem not in NEEDS_A_CLONE]
CLONING = [path for path in NOTEBOOKS if path.stem in NEEDS_A_CLONE]
QUICK = [path for path in ALONE if path.stem == '00_data']
OTHERS = [path for path in ALONE if path not in QUICK]
ADDRESS = 'https://github.com/mnist-nbdev/mnist_nbdev'
BESIDE = re.compile(r"\bPath\('([^']+\.(?:json|mplstyle|zip)|widgets/.*?)'\)")
RUN = """
import sys
from pathlib import Path
import mnist_nbdev, outputs
assert Path(mnist_nbdev.__file__).is_relative_to(sys.argv[2]), mnist_nbdev.__file__
outputs.run(Path(sys.argv[1]).resolve())
"""


@pytest.fixture(scope='session')
def from_wheel(tmp_path_factory):
    "A folder with the package as its wheel has it."
    base = tmp_path_factory.getbasetemp()  # of this run; with xdist, of this worker
    place = (base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base)/'wheel'
    with FileLock(f'{place}.lock'):
        if not place.exists():
            build = [sys.executable, '-m', 'uv', '--quiet', 'build', '--wheel']
            subprocess.run([*build, ROOT, '-o', f'{place}-dist'], check=True)
            [wheel] = place.parent.glob('wheel-dist/*.whl')
            shutil.unpack_archive(wheel, place, 'zip')
    return place


def run_alone(path, package, folder):
    "Run a copy of a chapter, as a reader who was sent it."
    copy = shutil.copy(path, folder)
    where = os.pathsep.join([str(package), str(ROOT/'tools')])
    where = dict(cwd=folder, env=os.environ | {'PYTHONPATH': where})
    command = [sys.executable, '-c', RUN, copy, package]
    done = subprocess.run(command, **where, capture_output=True, text=True,
                          timeout=600*PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize('path', QUICK, ids=lambda path: path.stem)
def test_alone(from_wheel, tmp_path, monkeypatch, path):
    "Also in a folder with a space and an umlaut, in the C locale."
    folder = tmp_path/'mein Übungsheft'
    folder.mkdir()
    monkeypatch.setenv('LC_ALL', 'C')
    monkeypatch.setenv('PYTHONUTF8', '0')
    run_alone(path, from_wheel, folder)


@pytest.mark.slow
@pytest.mark.parametrize('path', OTHERS, ids=lambda path: path.stem)
def test_all_alone(from_wheel, tmp_path, path): run_alone(path, from_wheel, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('path', CLONING, ids=lambda path: path.stem)
def test_cloning(from_wheel, tmp_path, monkeypatch, path):
    "Its second cell fetches the repository; here, from this folder."
    monkeypatch.setenv('GIT_CONFIG_COUNT', '1')
    monkeypatch.setenv('GIT_CONFIG_KEY_0', f'url.file://{ROOT}.insteadOf')
    monkeypatch.setenv('GIT_CONFIG_VALUE_0', ADDRESS)
    nb = nbformat.read(path, 4)
    cell = next(cell for cell in nb.cells if 'git clone' in cell.source)
    assert f'{ADDRESS}\n' in cell.source
    cell.source = cell.source.replace('#| eval: false\n', '')
    folder = tmp_path/'alone'
    folder.mkdir()
    nbformat.write(nb, tmp_path/path.name)
    run_alone(tmp_path/path.name, from_wheel, folder)
    assert (folder/'mnist_nbdev'/'app.py').exists()  # it was there that it ran


@pytest.mark.parametrize('path', ALONE, ids=lambda path: path.stem)
def test_no_file_beside(path):
    "A chapter names no file beside it; what it reads is in the package."
    cells = nbformat.read(path, 4).cells
    code = '\n'.join(cell.source for cell in cells if cell.cell_type == 'code')
    assert BESIDE.findall(code) in ([], ['../../shared/data/hwd1000.zip'])


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_it_installs_the_package(path):
    "The first cell of code installs the package where it is missing, and only there."
    first = next(c for c in nbformat.read(path, 4).cells if c.cell_type == 'code')
    assert '#| eval: false' in first.source and '%pip install' in first.source
    assert "if not find_spec('mnist_nbdev')" in first.source
