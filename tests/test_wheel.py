"""The wheel, in an environment with nothing else: it predicts, and asks for little."""

import os
import subprocess
import sys

from helpers import ROOT

SCRIPT = """
import socket, sys
socket.socket.connect = socket.create_connection = None  # no network here
from PIL import Image
from mnist_nbdev.data import ASSETS, load_sample
from mnist_nbdev.predict import predict
s = load_sample()
for index, digit in ((0, 3), (2037, 7)):
    image = (s.valid_x[index].reshape(28, 28)*255).byte().numpy()
    Image.fromarray(image).save('digit.png')
    assert predict('digit.png').digit == digit
unwanted = {'gradio', 'fastai', 'nbdev', 'jupyter_core', 'matplotlib'}
assert not unwanted & sys.modules.keys(), unwanted & sys.modules.keys()
print(ASSETS/'example-0-three.jpg')
"""


def test_wheel(tmp_path):
    clean = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}

    def uv(*words):
        words = [sys.executable, '-m', 'uv', *words, '--quiet']
        subprocess.run(words, env=clean, check=True)

    uv('build', ROOT, '--out-dir', tmp_path/'dist')
    uv('venv', tmp_path/'empty', '--python', sys._base_executable)

    def run(command, *words, ok=True):
        words = [tmp_path/'empty'/'bin'/command, *words]
        said = dict(stdout=subprocess.PIPE, text=True)
        done = subprocess.run(words, cwd=tmp_path, env=clean, **said)
        assert (done.returncode == 0) == ok
        return done.stdout

    [wheel] = tmp_path.glob('dist/*.whl')
    pins = '--constraints', ROOT/'constraints.txt'
    uv('pip', 'install', '--python', tmp_path/'empty', *pins, wheel)
    example = run('python', '-c', SCRIPT).strip()
    for command in ('mnist_predict', 'mnist_train'):
        assert run(command, '--help').startswith(f'usage: {command}')
    three, seven = run('mnist_predict', '--json', example, 'digit.png').splitlines()
    assert '"digit": 3' in three and '"digit": 7' in seven
    for name in ('gradio', 'fastai', 'nbdev', 'jupyter'):
        run('python', '-c', f'import {name}', ok=False)
