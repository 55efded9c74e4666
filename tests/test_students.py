"""The student's edition: it stops in its empty cells, and nowhere else."""

import subprocess
import sys
from zipfile import ZipFile

import nbformat
import pytest
from helpers import NOTEBOOKS, PATIENCE, ROOT
from test_alone import NEEDS_A_CLONE

from mnist_nbdev import exercises

QUICK = {'01_baseline', '03_linear'}
CHAPTERS = [path for path in NOTEBOOKS if path.stem[0] in '0123'
            and path.stem not in {*NEEDS_A_CLONE, '39_exercises', '40_checks'}]
RUN = """
import sys
from pathlib import Path
from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell

path = Path(sys.argv[1])
nb = read_nb(path)
for cell in nb.cells: cell.outputs = []
nb.cells = [cell for cell in nb.cells if '#| slow' not in cell.source]
CaptureShell(path, mpl_format='png').run_all(nb, exc_stop=False)
write_nb(nb, path)
"""


@pytest.fixture(scope='session')
def edition(tmp_path_factory):
    "The edition, as the site offers it, unpacked."
    place = tmp_path_factory.mktemp('students')
    n = exercises.student_edition(ROOT/'nbs', place/'students.zip')
    with ZipFile(place/'students.zip') as file: file.extractall(place)
    assert len([*place.glob('*.ipynb')]) == n == len(NOTEBOOKS) - 3
    return place


def test_no_name_is_missing(edition):
    "No cell needs what only an answer defined."
    ruff = [sys.executable, '-m', 'ruff', 'check', '--isolated', '--select', 'F821']
    done = subprocess.run([*ruff, edition], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_answer_is_left(edition):
    for path in edition.glob('*.ipynb'):
        text = path.read_text('utf-8')
        for word in ('"Answer', 'exercises.prove(', '"teacher'): assert word not in text


def failing(nb):
    "The cells that ended in an error, and its first words."
    for cell in nb.cells:
        for out in cell.get('outputs', []):
            if out.output_type == 'error': yield cell.source, out.evalue


def param(path):
    marks = [] if path.stem in QUICK else pytest.mark.slow
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize('path', [*map(param, CHAPTERS)])
def test_it_stops_where_it_is_empty(edition, path):
    copy = edition/path.name
    subprocess.run([sys.executable, '-c', RUN, copy], check=True, cwd=edition,
                   timeout=600*PATIENCE)
    nb = nbformat.read(copy, 4)
    empty = [cell.source for cell in nb.cells
             if cell.cell_type == 'code' and 'exercises.check(' in cell.source]
    stopped = dict(failing(nb))
    assert [*stopped] == empty != []
    assert all('dots' in why for why in stopped.values()), stopped
