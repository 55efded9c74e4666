"""In an environment with only the wheel: predict a PNG without network, from Python and from a shell, and import nothing that was not asked for.

    python check_wheel.py      (copied out of the project, so that the installed package is what is imported)
"""
import json
import socket
import subprocess
import sys
from pathlib import Path


def refuse(*args, **kwargs): raise OSError('no network here')


def seconds(module):
    "The processor time of importing a module in a fresh interpreter, least of three."
    code = f'import time; start = time.process_time(); import {module}; print(time.process_time() - start)'
    return min(float(subprocess.check_output([sys.executable, '-c', code])) for _ in range(3))


def shell(command, *words):
    "What a command of this environment prints; raises where its exit status is not 0."
    return subprocess.run([Path(sys.executable).with_name(command), *words], stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == '__main__':
    socket.socket.connect = socket.create_connection = refuse
    from PIL import Image

    from mnist_nbdev.data import ASSETS, load_sample
    from mnist_nbdev.predict import predict
    s = load_sample()
    for index, digit in ((0, 3), (2037, 7)):
        Image.fromarray((s.valid_x[index].reshape(28, 28)*255).byte().numpy()).save('digit.png')
        assert predict('digit.png').digit == digit
    unwanted = {'gradio', 'fastai', 'nbdev', 'jupyter_core', 'matplotlib'} & sys.modules.keys()
    assert not unwanted, f'imported for nothing: {unwanted}'
    for name in ('gradio', 'fastai', 'nbdev', 'jupyter'):
        try: __import__(name); raise SystemExit(f'{name} is installed with the bare package')
        except ImportError: pass
    assert all(shell(command, '--help').startswith(f'usage: {command}') for command in ('mnist_predict', 'mnist_train'))
    records = map(json.loads, shell('mnist_predict', '--json', 'digit.png', str(ASSETS/'example-0-three.jpg')).splitlines())
    assert [record['digit'] for record in records] == [7, 3]
    print(f'predicts; importing mnist_nbdev.predict costs {seconds("mnist_nbdev.predict")/seconds("torch"):.2f} times importing torch')
