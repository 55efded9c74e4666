"""The pages that learn: how they look, how large they are, and their mathematics."""

import json
from base64 import b64encode
from importlib import import_module

import numpy as np
import pytest
import torch
from conftest import alive
from helpers import LOSSES, NARROW, ROOT, STROKES, WIDE, audit, look

from mnist_nbdev.data import load_sample
from mnist_nbdev.prepare import to_mnist
from mnist_nbdev.ship import load_model

HERE = ROOT/'nbs'/'widgets'
NAMES = sorted({path.stem for path in HERE.glob('*.html')} - {'demo'})  # test_demo
LOOKS = {
    'light-narrow': dict(color_scheme='light', viewport=NARROW),
    'dark-wide': dict(color_scheme='dark', viewport=WIDE),
}
FIRST_USE = {  # what is drawn, the button to press, the part that answers, its words
    'bend': (None, 'step', 'count', 'Step 1'),
    'downhill': (None, 'step', 'numbers', 'Step 1:'),
    'draw': ('7', None, 'verdict', 'A seven'),
    'handwriting': ('3', 'next', 'task', '2 of 20'),
    'step': (None, 'forward', 'first', 'the logit is z = '),
    'train': (None, 'step', 'words', 'Step 1'),
}
MATHS = """async ({images, logits, labels}) => {
  const maths = await import('./widgets/maths.js');
  const {load, loadLinear, loadNetwork, loadDigits} = await import('./widgets/page.js');
  const bytes = Uint8Array.from(atob(images), c => c.charCodeAt());
  const z = Float64Array.from(logits), {train, valid} = await loadDigits();
  const network = await loadNetwork();
  const images_of = bytes => Array.from({length: bytes.length/784}, (_, i) =>
    Float64Array.from(bytes.subarray(784*i, 784*i + 784), v => v/255));
  const drawings = (await load('drawings.json')).map(({strokes, radius}) => {
    const ink = maths.drawStrokes(strokes, 140, radius);
    const {pixels} = maths.toMnist(ink.map(v => 1 - v), 140, 140);
    return {ink: [...ink], pixels: [...pixels]};
  });
  return JSON.stringify({
    drawings,
    digits: train.x.length + valid.x.length,
    logits: [...maths.logits(await loadLinear(), Float64Array.from(bytes, v => v/255))],
    ten: images_of(bytes).map(x => maths.tenLogits(network, x)),
    shown: drawings.map(({pixels}) => maths.tenLogits(network, pixels)),
    losses: Object.fromEntries(Object.entries(maths.LOSSES).map(
      ([name, {loss, grad}]) => [name, [loss(z, labels), [...grad(z, labels)]]])),
  });
}"""


@pytest.mark.parametrize('scheme', LOOKS)
@pytest.mark.parametrize('name', NAMES)
def test_look(visit, site, name, scheme):
    script = import_module(f'test_widget_{name}')
    page = visit(site + script.PAGE, reduced_motion='no-preference', **LOOKS[scheme])
    box = alive(page, name)
    script.warm(box)
    assert audit(page, '.widget') + look(page, 'tooWide') == []


@pytest.mark.xdist_group('browsers')
@pytest.mark.parametrize('name', NAMES)
def test_other_browsers(site, other_browser, name):
    "Each widget lives in Firefox and in WebKit, and does what it is for."
    page, box = other_browser, f'.widget[data-widget="{name}"]'
    page.open(site + import_module(f'test_widget_{name}').PAGE)
    page.until(f"!!document.querySelector('{box}[data-ready]')")
    digit, button, part, words = FIRST_USE[name]
    if digit:
        page.press(f'{box} [part=clear]')
        page.draw(f'{box} .widget-pad', STROKES[digit])
    if button: page.press(f'{box} [part={button}]')
    page.says(f'{box} [part={part}]', words)


def test_mathematics(visit, site):
    s, model = load_sample(), load_model('linear')
    images = (255*s.valid_x).round().byte().numpy()
    logits = model(s.valid_x)
    far = [(-750, 1), (-30, 0), (-1e-9, 1), (0, 0), (1e-9, 1), (30, 0), (750, 0)]
    far_z, far_y = torch.tensor(far).double()[:, :, None].unbind(1)
    z = torch.cat([logits.double(), far_z])
    y = torch.cat([s.valid_y.double(), far_y])
    page = visit(site)
    found = json.loads(page.evaluate(MATHS, {
        'images': b64encode(images.tobytes()).decode(),
        'logits': z[:, 0].tolist(),
        'labels': y[:, 0].tolist(),
    }))
    assert found['digits'] == 1000*784
    np.testing.assert_allclose(found['logits'], logits[:, 0], rtol=0, atol=1e-4)
    network = load_model('cnn')
    size = sum(p.numel() for p in network.parameters())
    assert f'With {size:,} numbers' in (HERE/'draw.js').read_text('utf-8')
    with torch.no_grad(): ten = network(s.valid_x)
    np.testing.assert_allclose(found['ten'], ten, rtol=0, atol=1e-3)
    seen = torch.tensor([drawing['pixels'] for drawing in found['drawings']])
    with torch.no_grad(): ten = network(seen)
    np.testing.assert_allclose(found['shown'], ten, rtol=0, atol=1e-3)
    assert found['losses'].keys() == LOSSES.keys()
    for name, loss in LOSSES.items():
        value, grad = found['losses'][name]
        assert abs(value - loss(z, y)) < 1e-9
        grads = loss.grad(z, y)[:, 0]
        np.testing.assert_allclose(grad, grads, rtol=0, atol=1e-5/len(z))
    alike = same = 0
    for drawing in found['drawings']:
        ink = np.array(drawing['ink']).reshape(140, 140)
        expected = to_mnist((255 - 255*ink).round().astype(np.uint8)).flatten()
        pair = torch.stack([torch.tensor(drawing['pixels']).float(), expected])
        alike += bool(torch.corrcoef(pair)[0, 1] > .95)
        same += bool((model(pair) > 0).unique().numel() == 1)
    assert len(found['drawings']) == 100 and alike >= 85 and same >= 97


@pytest.mark.parametrize('endings, most', (('.js', 80_000), ('.json .bin', 460_000)))
def test_size(endings, most):
    paths = [path for path in HERE.iterdir() if path.suffix in endings.split()]
    assert 0 < sum(path.stat().st_size for path in paths) <= most
