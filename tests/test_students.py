"""The student's edition: it stops in its empty cells, and nowhere else."""

import ast
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from zipfile import ZipFile

import nbformat
import outputs
import pytest
from helpers import NOTEBOOKS, PATIENCE, ROOT
from test_alone import NEEDS_A_CLONE
from test_current import code_of

from mnist_nbdev import exercises

QUICK = {'01_baseline', '03_linear'}
CHAPTERS = [path for path in NOTEBOOKS if path.stem[0] in '0123'
            and path.stem not in {*NEEDS_A_CLONE, '39_exercises', '40_checks'}]


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


def test_no_link_is_broken(edition):
    for path in edition.glob('*.ipynb'):
        cells = nbformat.read(path, 4).cells
        text = '\n'.join(cell.source for cell in cells if cell.cell_type == 'markdown')
        for link in re.findall(r'\]\((?!\w+:|#)([^)#]+)|src="(?!\w+:)([^"]+)', text):
            assert (edition/''.join(link)).is_file(), f'{path.name}: {link}'


def names_of(node): return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def asked(tree):
    "The names of the answers that a cell checks."
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    checks = [call for call in calls if ast.unparse(call.func) == 'exercises.check']
    return {name for call in checks for name in names_of(call.args[-1])}


def given(tree):
    "The names that a cell sets, each with the last that is said of it."
    for node in tree.body:
        if isinstance(node, ast.FunctionDef): yield node.name, node.body[-1]
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for name in names_of(target): yield name, node
        else: yield from given(node) if hasattr(node, 'body') else ()


def is_empty(node):
    "Whether a statement has nothing but dots, or names with dots for each."
    value = getattr(node, 'value', node)
    return all(ast.unparse(v) == '...' for v in getattr(value, 'values', [value]))


def test_no_answer_is_left(edition):
    "From the cell on that asks for an answer, there are dots in its place."
    for path in edition.glob('*.ipynb'):
        text, answers = path.read_text('utf-8'), set()
        for word in ('exercises.prove(', '"teacher'): assert word not in text
        for tree in map(ast.parse, code_of(path)):
            answers |= asked(tree)
            full = {name for name, node in given(tree) if not is_empty(node)}
            assert not full & answers, path.name


def param(path):
    marks = [] if path.stem in QUICK else pytest.mark.slow
    return pytest.param(path.name, id=path.stem, marks=marks)


@pytest.mark.parametrize('name', [*map(param, CHAPTERS)])
def test_it_stops_where_it_is_empty(edition, name):
    with ProcessPoolExecutor(1, get_context('spawn')) as pool:
        nb = pool.submit(outputs.run, edition/name, stop=False).result(600*PATIENCE)
    code = [cell for cell in nb.cells if cell.cell_type == 'code']
    errors = {cell.source: out.evalue for cell in code for out in cell.outputs
              if out.output_type == 'error'}
    assert [*errors] == [c.source for c in code if 'exercises.check(' in c.source] != []
    assert all('dots' in why for why in errors.values()), errors
