"""The house is in order: what is made is current, and its rules hold."""

import ast
import dis
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from textwrap import dedent
from types import CodeType

import nbformat
import outputs
import pytest
import readme
import yaml
from helpers import NOTEBOOKS, ROOT

from mnist_nbdev import checks  # noqa: F401  (it fills _CHECKS)
from mnist_nbdev.exercises import _CHECKS

MNIST = ROOT.parent/'shared'/'data'/'mnist'
MODULES = sorted(path.stem for path in (ROOT/'mnist_nbdev').glob('[a-z]*.py'))
SUPPORT = {'widgets', 'exercises'}  # modules that any chapter may import
EXPORT_AND_CLEAN = '''
from nbdev.clean import nbdev_clean
from nbdev.doclinks import nbdev_export
nbdev_export()
nbdev_clean()
'''
COMMANDS = {
    'ruff': '-m ruff check',
    'mypy': '-m mypy',
    'README and minutes': 'tools/readme.py --check',
    'pins': 'tools/pins.py --check',
    'linear weights': '-m mnist_nbdev.ship --check',  # a minute of training
    'data of widgets': 'tools/build_widgets.py --check',
    'bundled data': f'tools/build_data.py {MNIST} --check',
}


def python(words, cwd=ROOT):
    "Run Python with these words, which must succeed; what it prints."
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env=os.environ | {'PYTHONPATH': str(cwd)})
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


SLOW = 'linear weights'
QUICK = [name for name in COMMANDS if name != SLOW]


@pytest.mark.parametrize('name', [*QUICK, pytest.param(SLOW, marks=pytest.mark.slow)])
def test_check(name):
    if name == 'bundled data' and not MNIST.is_dir():
        pytest.skip(f'{MNIST} is not here')
    python(COMMANDS[name].split())


@pytest.fixture(scope='session')
def apart():
    "A process of its own, since a notebook that runs changes much in its process."
    with ProcessPoolExecutor(1, get_context('spawn')) as pool: yield pool


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_fresh(apart, path):
    if outputs.is_noted(path): return
    stale = apart.submit(outputs.check, path, update=False).result()
    if stale: python(['tools/outputs.py', path])  # alone: other notebooks leave traces


def test_export_and_clean_change_nothing(tmp_path):
    clone = tmp_path/'clone'
    subprocess.run(['git', 'clone', '-q', ROOT, clone], check=True)
    python(['-c', EXPORT_AND_CLEAN], cwd=clone)
    status = ['git', 'status', '--porcelain']
    assert subprocess.check_output(status, cwd=clone, text=True) == ''


# ---- one order


def code_of(path):
    "The code of a notebook, cell by cell, with nothing done where a magic was."
    for cell in json.loads(path.read_text('utf-8'))['cells']:
        if cell['cell_type'] == 'code':
            source = ''.join(cell['source'])
            yield re.sub(r'^( *)[%!].*$', r'\1pass', source, flags=re.M)


def imported(code):
    "Names of our modules that code imports, or code in its strings."
    try:
        tree = ast.parse(dedent(code))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = []
        for name in names:
            if name.startswith('mnist_nbdev.'): yield name.split('.')[1]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if 'import' in node.value: yield from imported(node.value)


def number(path):
    "The number that a chapter's name begins with; the front page has none."
    found = re.match(r'(\d\d)_', path.name)
    return int(found[1]) if found else None


def home_of(module):
    "The number of the chapter that exports a module."
    source = (ROOT/'mnist_nbdev'/f'{module}.py').read_text('utf-8')
    return number(Path(re.search(r'File to edit: (\S+\.ipynb)', source)[1]))


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_jupyter_saves_it_as_it_is(path):
    "To save a notebook in Jupyter changes nothing but what its writer has changed."
    text = path.read_text('utf-8')
    saved = nbformat.writes(nbformat.reads(text, 4))
    assert json.loads(saved) == json.loads(text)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_imports_nothing_later(path):
    if path.name == 'index.ipynb': return
    wanted = {name for code in code_of(path) for name in imported(code)}
    chapters = {name: home_of(name) for name in wanted & {*MODULES} - SUPPORT}
    assert {name for name, n in chapters.items() if n > number(path)} == set()


def test_imports_are_found():
    code = '''
    from mnist_nbdev import predict
    def f(): import mnist_nbdev.ship
    run("""
        from mnist_nbdev.read import to_image
    """)
    '''
    assert {*imported(code)} == {'predict', 'ship', 'read'}


def test_sidebar_is_in_order():
    website = yaml.safe_load((ROOT/'_quarto.yml').read_text('utf-8'))['website']
    listed = re.findall(r'[\w-]+\.ipynb', json.dumps(website['sidebar']))
    *chapters, _ = [path.name for path in NOTEBOOKS]  # the front page is the last
    front = (ROOT/'nbs'/'index.ipynb').read_text('utf-8')
    on_front = re.findall(r'- \d\d \[[^]]+\]\((\d\d_\w+\.ipynb)\)', front)
    assert listed == ['index.ipynb', *on_front] == ['index.ipynb', *chapters]


def test_every_exercise_is_counted():
    "Minutes are told for as many exercises as there are checks."
    minutes, told = readme.rule(), Counter()
    for path in NOTEBOOKS: told[path.stem[3:]] = minutes(path)[1]//5
    assert +told == Counter(name.split()[0] for name in _CHECKS)


# ---- references

OURS = r'(?:github\.com/mnist-nbdev|mnist-nbdev\.github\.io)/'
LINK = rf'\]\((https?://(?!{OURS})[^)\s]+)\)'  # to others' pages


def test_references():
    "The page says of each link to others' pages where it is cited; and what we are."
    pages = {path.name: path.read_text('utf-8') for path in ROOT.glob('nbs/*.[iq]*')}
    page = pages.pop('references.qmd')
    said = {(url, name) for line in page.splitlines() for url in re.findall(LINK, line)
            for name in re.findall(r'\(([\w.]+\.(?:ipynb|qmd))\)', line)}
    cited = {(url, name) for name in pages for url in re.findall(LINK, pages[name])}
    assert said == cited
    us = yaml.safe_load((ROOT/'CITATION.cff').read_text('utf-8'))
    words = [us['authors'][0]['name'], us['title'], us['version'], us['url']]
    assert all(page.replace(r'\_', '_').count(word) >= 2 for word in words)


# ---- what a page shows can be copied, and runs

HIDDEN = re.compile(r'^#\| *(hide|(echo|include): *false)$', re.M)


def names_in(code):
    "The names that compiled code sets at its top, and those that it looks up."
    steps = [(step.opname, step.argval) for step in dis.get_instructions(code)]
    inner = [names_in(part)[1] for part in code.co_consts if isinstance(part, CodeType)]
    asked = {name for step, name in steps if step in ('LOAD_NAME', 'LOAD_GLOBAL')}
    return {name for step, name in steps if step == 'STORE_NAME'}, asked.union(*inner)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_shown_needs_nothing_hidden(path):
    shown, hidden, missing = set(), set(), set()
    for source in code_of(path):
        given, asked = names_in(compile(source, path.name, 'exec'))
        if not HIDDEN.search(source): missing |= (asked - given - shown) & hidden
        (hidden if HIDDEN.search(source) else shown).update(given)
    assert missing == set()


# ---- small, and quick to import


def test_public_names():
    script = 'import mnist_nbdev.{0} as m; print(len(getattr(m, "__all__", [])))'
    lines = python(['-c', '\n'.join(script.format(name) for name in MODULES)])
    assert sum(map(int, lines.split())) <= 160


@pytest.mark.parametrize('modules, heavy', [
    (MODULES, {'matplotlib', 'fastai', 'gradio', 'IPython'}),
    (['uploads'], {'skimage.transform', 'scipy.ndimage', 'mnist_nbdev.predict'}),
], ids=('all', 'uploads'))
def test_imports_are_light(modules, heavy):
    script = 'import sys, ' + ', '.join(f'mnist_nbdev.{name}' for name in modules)
    assert python(['-c', f'{script}; print(*{heavy} & {{*sys.modules}})']).split() == []
