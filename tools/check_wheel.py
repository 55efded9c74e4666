"""In an environment with only the wheel: predict a PNG without network, and import nothing that was not asked for.

    python check_wheel.py      (copied out of the project, so that the installed package is what is imported)
"""
import socket
import subprocess
import sys


def refuse(*args, **kwargs): raise OSError('no network here')


def seconds(module):
    "The processor time of importing a module in a fresh interpreter, least of three."
    code = f'import time; start = time.process_time(); import {module}; print(time.process_time() - start)'
    return min(float(subprocess.check_output([sys.executable, '-c', code])) for _ in range(3))


if __name__ == '__main__':
    socket.socket.connect = socket.create_connection = refuse
    from PIL import Image

    from mnist_nbdev.data import load_sample
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
    print(f'predicts; importing mnist_nbdev.predict costs {seconds("mnist_nbdev.predict")/seconds("torch"):.2f} times importing torch')
