"""Nothing surprises a caller: whatever their process has set, and whatever they do."""

import json
import os
import subprocess
import sys
import warnings
from threading import Thread

import numpy as np
import pytest
import torch
from helpers import PATIENCE
from PIL import Image

from mnist_nbdev.cli import _judge
from mnist_nbdev.data import load_sample
from mnist_nbdev.linear import bce_loss
from mnist_nbdev.predict import predict
from mnist_nbdev.read import read_image
from mnist_nbdev.ship import load_model
from mnist_nbdev.train import fit

EVERYTHING = """
import hashlib
import numpy as np, torch
from torch import Tensor
from mnist_nbdev import data, distort, evaluate, explain, linear, nets, train
from mnist_nbdev.answer import answer, for_page
from mnist_nbdev.predict import predict
from mnist_nbdev.ship import load_model

def show(name, *values):
    digest = hashlib.sha1()
    for v in values:
        digest.update(f'{getattr(v, "dtype", v)}'.encode())
        if isinstance(v, Tensor): digest.update(v.detach().numpy().tobytes())
    print(name, digest.hexdigest())

s, m = data.load_sample(), data.load_mnist()
show('data', *s, m.valid_x, m.valid_y)
show('init', *linear.init_linear(3), *linear.zero_linear(), *nets.init_mlp(1))
for shuffle in (False, True):
    model, history = train.fit(s, 1, shuffle=shuffle, loss=linear.bce_loss)
    show('fit', *model, history)
show('augment', distort.augment(s.train_x[:200], torch.Generator().manual_seed(1)))
show('neither', distort.neither(24, m.valid_x[:200], m.valid_y[:200]))
show('occlusion', explain.occlusion(s.valid_x[:1], load_model('linear')))
p = predict(s.valid_x[0], 'cnn')
show('predict', p.probability, p.any_probability, p.pixels)
page = np.kron(1 - s.valid_x[5].reshape(28, 28).numpy(), np.ones((9, 9), np.float32))
show('answer', for_page(answer(page)))
z = load_model()(s.valid_x)
show('roc', *evaluate.roc(z, s.valid_y), *evaluate.reliability(z.sigmoid(), s.valid_y))
"""
DEFAULTS = {
    'double': 'import torch; torch.set_default_dtype(torch.float64)',
    'device': "import torch; torch.set_default_device('meta')",  # has no numbers at all
}
FORKS = """
import torch
from multiprocessing import get_context
from mnist_nbdev.cli import _judge
from mnist_nbdev.data import load_sample

torch.set_num_threads(2)
s = load_sample()
(s.train_x @ s.train_x[:500].T).sum()  # starts PyTorch's threads

def read(i):
    from mnist_nbdev.predict import predict
    return predict(s.valid_x[i]).digit

{before}
if __name__ == '__main__':
    with get_context('fork').Pool(2) as pool: print(pool.map(read, [0, -1]))
"""


def run(program):
    "What a program prints, in a process of its own."
    free = {k: v for k, v in os.environ.items() if k != 'OMP_NUM_THREADS'}
    done = subprocess.run([sys.executable, '-c', program], env=free, text=True,
                          capture_output=True, timeout=60*PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def plainly():
    return run(EVERYTHING)


@pytest.mark.xdist_group('defaults')
@pytest.mark.parametrize('kind', DEFAULTS)
def test_defaults_of_the_process(plainly, kind):
    "PyTorch's default dtype and device change no figure of ours."
    assert run(DEFAULTS[kind] + EVERYTHING) == plainly


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='This system has no fork.')
@pytest.mark.parametrize('before', ('', 'read(0)'), ids=('loaded', 'asked'))
def test_fork(before):
    "A process that has loaded digits, or asked, forks; its copies answer."
    assert run(FORKS.format(before=before)) == '[3, 7]\n'


def test_own_copy():
    "What a caller does to a model that ships changes no answer."
    s = load_sample()
    image = s.valid_x[0]
    before = {name: predict(image, name).probability for name in ('linear', 'cnn')}
    load_model('cnn').double()
    for t in load_model('cnn').parameters(): t.zero_()
    fit(s, 1, model=load_model('linear'), loss=bce_loss)
    after = {name: predict(image, name).probability for name in before}
    assert after == before


def test_gradients_after_inference_mode():
    program = """
import torch
from mnist_nbdev.cli import _judge
from mnist_nbdev.data import load_sample
from mnist_nbdev.predict import predict
from mnist_nbdev.ship import load_model
x = load_sample().valid_x[:8]
with torch.inference_mode(): predict(x[0], 'cnn')
net = load_model('cnn').requires_grad_()
net(x).sum().backward()
print(all(p.grad is not None for p in net.parameters()))
"""
    assert run(program) == 'True\n'


def test_warnings_are_the_callers():
    "No warning of a caller is lost while another thread reads pictures."
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
    stop = []

    def read_on():
        while not stop: predict(noise)

    thread = Thread(target=read_on)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        thread.start()
        try:
            for i in range(20_000): warnings.warn(f'{i}', stacklevel=1)
        finally:
            stop.append(True)
            thread.join()
    assert len([w for w in caught if str(w.message).isdigit()]) == 20_000


def test_heic(tmp_path):
    "Where pillow-heif is installed, a photo of a telephone is read."
    pillow_heif = pytest.importorskip('pillow_heif', reason='needs pillow-heif')
    three = load_sample().valid_x[0].reshape(28, 28).numpy()
    sheet = np.kron(np.pad(255*(1 - three), 20, constant_values=255), np.ones((8, 8)))
    photo = Image.fromarray(sheet.astype(np.uint8)).convert('RGB')
    path = tmp_path/'three.heic'
    pillow_heif.from_pillow(photo).save(path, quality=90)
    assert read_image(path).size == photo.size
    assert predict(path, 'cnn').digit == 3 and predict(path, 'cnn').in_scope
    with pytest.raises(ValueError, match='cannot be read'):
        predict(path.read_bytes()[:300])


def test_series():
    "A row of a table, as pandas gives it, is an image."
    class Series:  # what matters of one
        def __init__(self, values): self.values = values
        def __array__(self, dtype=None, copy=None): return np.asarray(self.values)

    row = (255*load_sample().valid_x[-1]).round().long().tolist()
    assert predict(Series(row)).digit == predict(row).digit == 7
    assert torch.equal(predict(Series(row)).pixels, predict(row).pixels)


def test_folder_on_all_cores(tmp_path):
    "A folder is dealt out to processes; each file is answered once, in order."
    s = load_sample()
    images = torch.cat([s.valid_x[:25], s.valid_x[-25:]]).reshape(-1, 28, 28)
    for i, x in enumerate((255*x).byte().numpy() for x in images):
        Image.fromarray(x).save(tmp_path/f'{i:02d}.png')
    (tmp_path/'07.png').write_bytes(b'nothing')
    program = 'import sys; from mnist_nbdev.cli import mnist_predict; mnist_predict()'
    command = [sys.executable, '-c', program, '--json', str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    files = sorted(tmp_path.iterdir())
    expected = [json.dumps(_judge(str(file), 'linear')[0]) for file in files]
    assert done.stdout.splitlines() == expected
    assert 'Traceback' not in done.stderr
