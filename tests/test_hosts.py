"""The demo and torchrun on machines of all kinds, and the demo in another program."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from helpers import PATIENCE, STROKES, audit, scribble
from playwright.sync_api import expect
from servers import ask, free_port, post, serving, upload, uploaded

from mnist_nbdev.distributed import group
from mnist_nbdev.read import MAX_BYTES

pytestmark = pytest.mark.xdist_group('hosts')
NOT_OURS = 'This request is not of the form that "Use via API" describes'
NOWHERE = 'nowhere.invalid'  # a name that leads to no machine
HOST = """
import os
from fastapi import FastAPI
from app import mount
site = FastAPI()
mount(site, '/digits')
@site.get('/')
def proxy(): return os.environ.get('NO_PROXY')
"""


PROXY = 'http://127.0.0.1:9'  # nobody listens there
PROXIES = (
    dict(HTTP_PROXY=PROXY, HTTPS_PROXY=PROXY, no_proxy='example.org'),
    dict(ALL_PROXY='socks5://127.0.0.1:9', all_proxy='socks://127.0.0.1:9/'),
)


def test_shared_tmp(tmp_path):
    "Where /tmp/gradio is somebody else's: uploads are private, and go at the end."
    (tmp_path/'gradio').write_text('of another user')
    with serving(tmp_path, 'app.py', TMPDIR=str(tmp_path)) as address:
        assert uploaded(address, b'a file').startswith(str(tmp_path))
        [private] = tmp_path.glob('demo-*')
        assert private.stat().st_mode & 0o077 == 0
    assert {p.name for p in tmp_path.iterdir()} <= {'gradio', 'log'}


HTTP, SOCKS = PROXIES


@pytest.mark.parametrize('env', (pytest.param(HTTP, marks=pytest.mark.slow), SOCKS))
def test_proxy(tmp_path, env):
    "The page needs none. And a folder that the user has named is used, and stays."
    own = tmp_path/'own'
    with serving(tmp_path, 'app.py', GRADIO_TEMP_DIR=str(own), **env) as address:
        assert uploaded(address, b'a file').startswith(str(own))
    assert own.is_dir()


def test_mounted(tmp_path, visit):
    "In a FastAPI app of one's own the page looks, answers and refuses as alone."
    (tmp_path/'host.py').write_text(HOST)
    command = '-m uvicorn host:site --host 127.0.0.1 --port PORT'.split()
    env = dict(NO_PROXY='a.org', TMPDIR=str(tmp_path))
    with serving(tmp_path, *command, ready='running on', **env) as host:
        assert ask(host).read() == b'"a.org"'  # proxies are the host's matter
        address = f'{host}digits/'
        page = visit(address, known='/favicon.ico')  # it is the host's to have one
        expect(page.locator('.widget[data-ready]')).to_be_visible()
        assert audit(page) == []
        assert page.locator('footer').get_by_role('button').count() == 1  # the API
        heading = page.get_by_role('heading', level=1)
        font = heading.evaluate('e => getComputedStyle(e).fontFamily')
        assert font.startswith('system-ui')
        scribble(page.locator('[part=paper]'), *STROKES['7'], steps=1)
        expect(page.locator('[part=words]')).to_have_text('This is a 7.')
        assert upload(address, bytes(MAX_BYTES + 1000))[0] == 413
        status, text = post(address, 'call/predict', b'{"data": 3}')
        assert status == 422 and json.loads(text)['detail'].startswith(NOT_OURS)
    assert not [path for path in tmp_path.glob('demo-*/**/*') if path.is_file()]


GROUP = """
from mnist_nbdev.distributed import group
with group(timeout=20) as (rank, size): print(f'{rank} {size}\\n', end='')
"""


def run(*command, **env):
    "How a program of a group ends, what it says, and how many seconds it takes."
    began = time.monotonic()
    both = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ended = subprocess.run(command, env=os.environ | env, timeout=90*PATIENCE, **both)
    return ended.returncode, ended.stdout, time.monotonic() - began


def place(**env):
    "Who a process is, for torch.distributed: the first of two, on two machines."
    env = dict(RANK=0, WORLD_SIZE=2, LOCAL_WORLD_SIZE=1, LOCAL_RANK=0) | env
    return {'MASTER_PORT': free_port()} | {name: str(v) for name, v in env.items()}


def test_nothing_stays_set(monkeypatch):
    "What `group` sets for PyTorch is as before when it has joined."
    monkeypatch.delenv('GLOO_SOCKET_IFNAME', raising=False)
    env = place(WORLD_SIZE=1, MASTER_ADDR='localhost')
    for name, value in env.items(): monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with group(timeout=20): assert dict(os.environ) == before
    assert dict(os.environ) == before


def test_one_machine():
    "It needs no name."
    env = place(WORLD_SIZE=1, MASTER_ADDR=NOWHERE)
    status, said, _ = run(sys.executable, '-c', GROUP, **env)
    assert (status, said.strip()) == (0, '0 1')


@pytest.mark.parametrize('rank', (0, 1))
@pytest.mark.parametrize('name', (NOWHERE, 'a..b', ''))
def test_two_machines(name, rank):
    "A name that leads nowhere gets a sentence, on each machine and not after minutes."
    train = sys.executable, '-m', 'mnist_nbdev.distributed'
    status, said, seconds = run(*train, **place(RANK=rank, MASTER_ADDR=name))
    assert status == 2 and f'No machine called {name!r}' in said
    assert 'MASTER_ADDR' in said and 'Traceback' not in said
    assert seconds < 40*PATIENCE


def nameless(*command):
    "A command on a machine whose own name leads nowhere."
    script = f'hostname {NOWHERE} && exec "$@"'
    return 'unshare', '--uts', 'sh', '-c', script, '-', *command


@pytest.fixture
def may_rename():
    "Whether this user may give a process a machine's name of its own."
    if not shutil.which('unshare') or subprocess.run(nameless('true')).returncode:
        pytest.skip('only root may do this, on Linux')


def test_nameless_machine(may_rename, tmp_path):
    "Torchrun calls it by its name; its processes do not."
    program = tmp_path/'group.py'
    program.write_text(GROUP)
    start = sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2'
    alone = dict(TORCH_DISABLE_SHARE_RDZV_TCP_STORE='1')
    status, said, _ = run(*nameless(*start, str(program)), **alone)
    assert status == 0 and '0 2' in said and '1 2' in said


def test_nameless_machine_of_two():
    env = place(MASTER_ADDR='127.0.0.1')
    misnamed = "import socket; socket.gethostname = lambda: 'a..b'\n"
    status, said, _ = run(sys.executable, '-c', misnamed + GROUP, **env)
    assert status == 1 and "No machine called 'a..b'" in said
    assert 'GLOO_SOCKET_IFNAME' in said
