"""Start servers of our own, and ask them."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from json import loads
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from helpers import PATIENCE, ROOT

ask = build_opener(ProxyHandler({})).open  # directly, whatever this machine has set


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def wait_for(ready, seconds, why='it never came'):
    "Wait until a function says something."
    end = time.monotonic() + seconds*PATIENCE
    while not ready():
        assert time.monotonic() < end, why
        time.sleep(.1)


def untroubled(log): return 'Traceback' not in log


@contextmanager
def serving(folder, *command, ready='share=True', fine=untroubled, **env):
    "The address of a server that has said that it is ready; it has to end well."
    port, log = free_port(), folder/'log'
    env = {'GRADIO_SERVER_PORT': port, 'PYTHONUNBUFFERED': '1'} | env
    env['PYTHONPATH'] = os.pathsep.join([str(ROOT), str(folder)])
    command = [sys.executable, *(word.replace('PORT', port) for word in command)]
    with log.open('w') as out:
        both = dict(stdout=out, stderr=subprocess.STDOUT)
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, **both)

    def is_ready():
        assert server.poll() is None, log.read_text()
        return ready in log.read_text()

    try:
        wait_for(is_ready, 120)
        yield f'http://127.0.0.1:{port}/'
    finally:
        server.terminate()
        server.wait()
    assert fine(log.read_text())


def post(address, path, body, kind='application/json'):
    "The status and text of a reply."
    request = Request(f'{address}gradio_api/{path}', body, {'Content-Type': kind})
    try:
        with ask(request, timeout=60*PATIENCE) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def upload(address, data, name='digit.png'):
    "The status and text that come back for a file."
    what = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    form = b'--edge\r\n' + what.encode() + b'\r\n\r\n' + data + b'\r\n--edge--\r\n'
    return post(address, 'upload', form, 'multipart/form-data; boundary=edge')


def uploaded(*args):
    "The path that an uploaded file has on the server."
    status, text = upload(*args)
    assert status == 200, text
    return loads(text)[0]
