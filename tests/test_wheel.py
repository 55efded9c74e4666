"""The wheel, in an environment with nothing else: it predicts, and asks for little."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

SCRIPT = """
import socket, sys

def refuse(*args, **kwargs):
    raise OSError('no network here')

socket.socket.connect = socket.create_connection = refuse
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


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "A function that runs a command of an environment that has only the wheel."
    folder = tmp_path_factory.mktemp('wheel')
    build = [sys.executable, '-m', 'build', '--outdir', folder/'dist', ROOT]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    [path] = folder.glob('dist/*.whl')
    subprocess.run([sys._base_executable, '-m', 'venv', folder/'empty'], check=True)
    clean = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}

    def run(command, *words, ok=True):
        words = [folder/'empty'/'bin'/command, *words]
        done = subprocess.run(
            words, cwd=folder, env=clean, stdout=subprocess.PIPE, text=True
        )
        assert (done.returncode == 0) == ok
        return done.stdout

    run('python', '-m', 'pip', 'install', '-q', '-c', ROOT/'constraints.txt', path)
    return run


def test_wheel(wheel):
    example = wheel('python', '-c', SCRIPT).strip()
    for command in ('mnist_predict', 'mnist_train'):
        assert wheel(command, '--help').startswith(f'usage: {command}')
    three, seven = wheel('mnist_predict', '--json', example, 'digit.png').splitlines()
    assert '"digit": 3' in three and '"digit": 7' in seven
    for name in ('gradio', 'fastai', 'nbdev', 'jupyter'):
        wheel('python', '-c', f'import {name}', ok=False)
