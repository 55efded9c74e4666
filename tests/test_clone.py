"""A fresh clone: no merge loses work, bytes stay, and facts are stated once."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers import CFG, ROOT

import mnist_nbdev
from mnist_nbdev import read

TOOLS = 'bash cat cksum dirname env git head mkdir rm sed seq sh tail true'.split()
SET_UP_FROM = 'setup.sh settings.ini setup.py pyproject.toml constraints.txt'.split()
WHO = ['-c', 'user.name=A', '-c', 'user.email=a@example.com']
OLDEST, NEWEST = (int(CFG[key].split('.')[1]) for key in ('min_python', 'max_python'))
STATED_IN = ['CONTRIBUTING.md', 'README.md']
RANGE = [f'3.{minor}' for minor in range(OLDEST, NEWEST + 1)]
FAKE_PYTHON = f'''#!/usr/bin/env bash
[ "$1" = -c ] || exit 0
exec '{sys.executable}' -c "import sys; sys.version_info = (3, VERSION, 0); $2"
'''
FAKE_UV = '''#!/usr/bin/env bash
mkdir -p .venv
echo "$@" >> asked
'''


def text_of(path): return (ROOT/path).read_text('utf-8')


def output_of(words, **more):
    return subprocess.run(words, capture_output=True, encoding='utf-8', **more).stdout


def program(folder, name, text):
    (folder/name).write_text(text, 'utf-8')
    (folder/name).chmod(0o755)


@pytest.fixture
def bare(tmp_path):
    "A folder for PATH: what any system has, a `uv` that does nothing, and no Python."
    folder = tmp_path/'bin'
    folder.mkdir()
    for name in TOOLS: (folder/name).symlink_to(shutil.which(name))
    program(folder, 'uv', FAKE_UV)
    return folder


def clone(folder, *options):
    subprocess.run(['git', 'clone', '-q', *options, ROOT, folder], check=True)
    return folder


def set_up(folder, bare):
    "Run setup.sh there, with nothing but what is in `bare`."
    env = {'PATH': str(bare), 'HOME': str(bare)}
    return subprocess.run(
        ['./setup.sh'], cwd=folder, env=env, capture_output=True, encoding='utf-8')


# ---- git


def notebook(words):
    same = {'cell_type': 'markdown', 'metadata': {}}
    cells = [same | {'source': [word]} for word in words]
    top = {'cells': cells, 'metadata': {}, 'nbformat': 4, 'nbformat_minor': 5}
    return json.dumps(top, indent=1) + '\n'


@pytest.mark.parametrize('hooks', (False, True), ids=('setup.sh', 'hooks'))
@pytest.mark.parametrize('verb', ('merge', 'rebase'))
@pytest.mark.parametrize('theirs', ('a b c THEIRS', 'THEIRS b c d'))
def test_merge_without_environment(tmp_path, bare, hooks, verb, theirs):
    here = clone(tmp_path/'here')
    program(bare, 'python3', FAKE_PYTHON.replace('VERSION', str(OLDEST)))
    assert set_up(here, bare).returncode == 0
    env = {'PATH': str(bare), 'HOME': str(tmp_path)}
    if hooks:
        command = Path(sys.executable).parent/'nbdev_install_hooks'
        subprocess.run([command], cwd=here, env=os.environ | env, check=True)
        assert output_of(['git', 'status', '--porcelain', '-uno'], cwd=here) == ''

    def git(*words):
        return subprocess.run(['git', *WHO, *words], cwd=here, env=env).returncode

    def commit(words):
        (here/'nbs'/'99_new.ipynb').write_text(notebook(words.split()), 'utf-8')
        git('add', 'nbs/99_new.ipynb')
        assert git('commit', '-qm', words) == 0

    commit('a b c d')
    git('checkout', '-qb', 'other')
    commit(theirs)
    git('checkout', '-q', '-')
    commit('OURS b c d')
    conflict = git(verb, 'other')
    merged = (here/'nbs'/'99_new.ipynb').read_text('utf-8')
    assert 'OURS' in merged and 'THEIRS' in merged
    if theirs.startswith('THEIRS'): assert conflict and '<<<<<<<' in merged
    else: assert not conflict and merged == notebook('OURS b c THEIRS'.split())


def test_line_ends(tmp_path):
    here = clone(tmp_path/'here', '-c', 'core.autocrlf=true')
    there = clone(tmp_path/'there')
    assert b'\r' not in (here/'setup.sh').read_bytes()
    for name in output_of(['git', 'ls-files', '-z'], cwd=here).split('\0')[:-1]:
        assert (here/name).read_bytes() == (there/name).read_bytes(), name
    kinds = output_of(['git', 'ls-files', '--eol'], cwd=here).splitlines()
    unmarked = [kind for kind in kinds if kind.startswith('i/-text')
                and 'attr/-text' not in kind]
    assert unmarked == []


# ---- Pythons


@pytest.mark.parametrize('found, chosen', [
    ({'python3': NEWEST + 1, f'python3.{OLDEST}': OLDEST}, f'python3.{OLDEST}'),
    ({'python3': OLDEST - 1, 'python': OLDEST}, 'python'),
    ({'python3': OLDEST, f'python3.{NEWEST}': NEWEST}, 'python3'),
    ({'python3': NEWEST + 1, 'python': OLDEST - 1}, None),
])
def test_python_of_setup(tmp_path, bare, found, chosen):
    for name in SET_UP_FROM: shutil.copy(ROOT/name, tmp_path)
    for name, minor in found.items():
        program(bare, name, FAKE_PYTHON.replace('VERSION', str(minor)))
    done, asked = set_up(tmp_path, bare), tmp_path/'asked'
    if chosen: assert f'--python {chosen} .venv' in asked.read_text('utf-8')
    else: assert done.returncode and f'Python {RANGE[0]} to {RANGE[-1]}' in done.stderr


def workflow(name): return yaml.safe_load(text_of(f'.github/workflows/{name}.yml'))


def test_one_range_of_pythons():
    project = tomllib.loads(text_of('pyproject.toml'))
    assert project['project']['requires-python'] == f'>={RANGE[0]},<3.{NEWEST + 1}'
    assert 'python_version' not in str(project['tool']['uv']['environments'])
    assert not re.search(r'3\.\d', text_of('setup.sh').replace(r'3\.', ''))
    matrix = workflow('test')['jobs']['notebooks']['strategy']['matrix']
    assert matrix['python'] == RANGE
    for path in STATED_IN:
        said = re.findall(r'Python (3\.\d+ \w+ [\w.]*\w)', text_of(path))
        assert {*said} == {f'{RANGE[0]} to {RANGE[-1]}'}, path


@pytest.mark.parametrize('path', [
    'README.md', '.devcontainer/devcontainer.json',
    *(f'.github/workflows/{name}.yml' for name in ('docs', 'release', 'space', 'test')),
])
def test_named_python_is_in_range(path):
    named = re.findall(r'python(?:[-_]version)?: ?"?(3\.\d+)', text_of(path))
    assert named and {*named} <= {*RANGE}


# ---- releases


def test_version_and_authors():
    cited = yaml.safe_load(text_of('CITATION.cff'))
    assert cited['version'] == mnist_nbdev.__version__ == CFG['version']
    assert [author['name'] for author in cited['authors']] == [CFG['author']]
    assert CFG['author'] in text_of('LICENSE')
    assert cited['license'] == CFG['license'].upper()
    assert cited['repository-code'] == CFG['git_url']


def test_release_is_checked_before_it_is_published():
    told = workflow('release')
    assert told[True] == {'push': {'tags': ['v*']}}  # YAML reads "on" as true
    build, publish = told['jobs']['build'], told['jobs']['publish']
    commands = '\n'.join(step.get('run', '') for step in build['steps'])
    words = 'uv build', 'twine check --strict', 'venv', '.whl', 'mnist_predict'
    places = [commands.index(word) for word in words]
    assert places == sorted(places)
    assert publish['needs'] == 'build'
    assert publish['permissions'] == {'id-token': 'write'}


@pytest.mark.parametrize('name', ('wrong-answer', 'bug', 'text'))
def test_issue_form(name):
    form = yaml.safe_load(text_of(f'.github/ISSUE_TEMPLATE/{name}.yml'))
    assert form['name'] and form['description']
    fields = [field for field in form['body'] if field['type'] != 'markdown']
    assert len({field['id'] for field in fields}) == len(fields)
    assert all(field['attributes']['label'] for field in fields)
    assert any(field.get('validations', {}).get('required') for field in fields)


def test_limits_of_security():
    text = text_of('SECURITY.md')
    limits = [read.MAX_BYTES, read.MAX_PIXELS, *read._MAX_PIXELS_OF.values()]
    for limit in limits: assert f'{limit:,}' in text
    for name in read.FORMATS: assert name in text
