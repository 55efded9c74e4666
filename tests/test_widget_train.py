"""Train it here: what runs on the page is what the package would have done."""

import json
import zlib

import numpy as np
import pytest
import torch
from helpers import LOSSES, PATIENCE, ROOT, choose, maths, press

from mnist_nbdev.linear import Linear
from mnist_nbdev.train import batches, train_epoch, validate

NAME, PAGE = 'train', 'train.html'
WIDGETS = ROOT/'nbs'/'widgets'
GOAL = 6  # errors of 200: 97% right
ERRORS = 'run.curve.at(-1).errors'
SPOKEN = 'root.querySelector("[aria-live]")'
DEFAULTS = dict(lr=.1, bs=64, loss='bce_loss', scale=.03, seed=4, shuffle='yes')
RECIPE = dict(lr=1, bs=256, loss='mnist_loss', scale=1, seed=4, shuffle='')
COUNT_ADDRESSES = """() => {
  window.written = 0;
  const replace = history.replaceState.bind(history);
  history.replaceState = (...values) => { window.written++; replace(...values); };
}"""
INK = """canvas => [0, .5].map(top => {
  const {width, height} = canvas, sum = [0, 0, 0], {data} = canvas.getContext('2d')
    .getImageData(0, top*height, width/3, height/2 - 2);
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200) for (const k of [0, 1, 2]) sum[k] += data[i + k];
  return sum;
})"""
INIT = 'const {w, b} = m.initLinear(4, 784, .1); return [[...w], b];'


def ask(box, script):
    "What the widget knows, of `root`, its element, and `run`."
    return box.evaluate(f'root => {{ const {{run}} = root; return {script}; }}')


def until(box, script, seconds=8):
    script = f'root => {{ const {{run}} = root; return {script}; }}'
    options = dict(arg=box.element_handle(), timeout=1000*seconds*PATIENCE)
    box.page.wait_for_function(script, **options)


def reopen(box, query):
    "Open the page with this in its address."
    box.page.goto(box.page.url.partition('?')[0] + query, wait_until='load')
    box.wait_for()


def curve(box):
    return ask(box, 'run.curve.map(row => [row.batch ?? null, row.loss, row.errors])')


def knob(box, label, key, times=1):
    for _ in range(times): box.get_by_role('slider', name=label).press(key)


def warm(box):
    press(box, 'Play')
    until(box, 'run.steps > 150')
    press(box, 'Pause')
    until(box, f'{SPOKEN}.textContent.startsWith("Step")')
    (red, _, blue), (red7, _, blue7) = box.locator('[part=crowd]').evaluate(INK)
    assert red > blue and blue7 > red7  # threes above, in red; sevens below, in blue
    assert blue7 > 5*blue  # on the left are few threes, and most of the sevens


def test_play(box):
    "From chance to 97% in five seconds; pause, step, reset."
    assert '?' not in box.page.url
    assert ask(box, 'run.steps') == 0
    assert 80 < ask(box, ERRORS) < 130  # of 200: chance
    box.page.evaluate(COUNT_ADDRESSES)
    press(box, 'Play')
    until(box, f'run.curve.some(({{errors}}) => errors <= {GOAL})', 5)
    rows = curve(box)
    reached = next(step for step, row in enumerate(rows) if row[2] <= GOAL)
    assert reached <= 300
    box.get_by_text(f'97% right after {reached} steps').wait_for()
    assert box.page.evaluate('written') <= 1  # no address for every frame
    press(box, 'Pause')
    until(box, f'{SPOKEN}.textContent.startsWith("Step")')
    n = ask(box, 'run.steps')
    until(box, f'location.search.includes("step={n}")')
    assert ask(box, 'run.steps') == n  # it stands still
    words = box.locator('[aria-live]').inner_text()
    assert f'Step {n},' in words and f'{ask(box, ERRORS)} of 200' in words
    press(box, 'Step')
    until(box, f'run.steps === {n + 1} && location.search.includes("step={n + 1}")')
    press(box, 'Reset')
    until(box, 'run.steps === 0 && location.search.includes("step=0")')
    assert len(curve(box)) == 1
    label = box.get_by_role('img').first.get_attribute('aria-label')
    assert label.startswith(f'{ask(box, ERRORS)} of 200')


def test_seed(box):
    "A seed gives its own curve, whether watched or restored from the address."
    reopen(box, '?seed=7&step=30')
    until(box, 'run.steps === 30')
    restored = curve(box)
    press(box, 'Reset', 'Play')
    until(box, 'run.steps > 30')
    press(box, 'Pause')
    assert curve(box)[:31] == restored
    knob(box, 'Seed', 'ArrowRight')
    until(box, 'run.steps === 0 && run.start.seed === 8')
    ask(box, 'Array.from({length: 30}, () => run.step()).length')
    other = curve(box)
    assert len(other) == 31
    assert all(a != b for a, b in zip(restored, other, strict=True))
    left = ask(box, '(run.change("shuffle", ""), run.step(), run.left.length)')
    assert left == 800 - 64  # an epoch begins where shuffling is switched off


def test_link_opens_at_the_widget(box):
    box.page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
    press(box, 'Copy link')
    box.get_by_role('button', name='Link copied').wait_for()
    link = box.page.evaluate('navigator.clipboard.readText()')
    assert link.endswith('#train')
    reopen(box, link[link.index('?'):])
    top = box.evaluate('e => e.getBoundingClientRect().top')
    assert abs(top) < 150  # under the header


def test_link(box):
    "A run that was changed on the way comes back from its address."
    box.page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
    reopen(box, '?utm=a%20b&bs=16#widget')
    press(box, 'Play')
    until(box, 'run.steps > 20')
    knob(box, 'Learning rate', 'ArrowRight', 2)
    until(box, 'run.steps > 150')
    choose(box, 'Loss', 'mnist_loss')
    until(box, 'run.steps > 60')
    knob(box, 'Batch size', 'ArrowLeft')
    choose(box, 'Shuffle', '')
    press(box, 'Pause', 'Copy link')
    box.get_by_role('button', name='Link copied').wait_for()
    link, rows = box.page.evaluate('navigator.clipboard.readText()'), curve(box)
    assert link == box.page.url
    assert 'utm=a' in link and link.endswith('#widget') and '-loss-mnist_loss' in link
    settings = ask(box, 'run.settings')
    changed = {'lr': 1, 'bs': 4, 'loss': 'mnist_loss', 'shuffle': ''}
    assert settings == DEFAULTS | changed
    box.page.reload()
    box.wait_for()
    until(box, f'run.steps === {len(rows) - 1}')
    assert curve(box) == rows and ask(box, 'run.settings') == settings
    assert box.page.url == link
    rate = box.get_by_role('slider', name='Learning rate')
    assert rate.get_attribute('aria-valuetext') == '1'
    assert box.get_by_role('combobox', name='Shuffle').input_value() == ''
    knob(box, 'Initial scale', 'End')  # begins again, with the settings of the moment
    until(box, 'run.steps === 0 && run.start.scale === 3')
    assert ask(box, 'run.settings.lr') == 1
    assert ask(box, 'Object.keys(run.changes)') == []


def test_nonsense(box):
    "No address does harm, and nobody need wait for what it asks."
    reopen(box, (
        '?bs=800&step=1e9&lr=1e999&loss=constructor&scale=NaN&seed=4.5&shuffle=maybe'
        '&then=9-__proto__-1_x-bs-4_99999-lr-1_3-lr-cat'
    ))
    press(box, 'Step')
    until(box, f'{SPOKEN}.textContent.startsWith("Step")')
    assert ask(box, 'run.steps') < 100
    assert ask(box, 'run.start') == DEFAULTS | {'bs': 800}
    assert ask(box, 'Object.values(run.changes).flatMap(Object.keys)') == []


def test_presets(box):
    "Presets begin to play; what has exploded is said so, and is survived."
    press(box, 'Too fast')
    box.get_by_text('It has exploded').wait_for()
    losses = [loss for _, loss, _ in curve(box)]
    assert max(losses) > 10*losses[0]
    press(box, 'Documented recipe')
    until(box, 'run.steps > 2 && run.steps < 100')
    assert ask(box, 'run.settings') == RECIPE
    assert 'exploded' not in box.locator('[aria-live]').inner_text()
    press(box, 'Repaired')
    until(box, f'run.start.scale === 0 && {ERRORS} <= {GOAL}')
    press(box, 'Pause')
    ask(box, 'run.model.w.fill(NaN).length')
    press(box, 'Step')
    box.get_by_text('It has exploded').wait_for()
    press(box, 'Reset')
    gone = f'!{SPOKEN}.querySelector("[part=exploded]").offsetParent'
    until(box, f'run.steps === 0 && {gone}')


@pytest.mark.parametrize('name', LOSSES)
def test_agrees(box, name):
    "Steps on the page are those of the package, in double precision."
    told = json.loads((WIDGETS/'digits.json').read_text('utf-8'))
    images = zlib.decompress((WIDGETS/'digits.bin').read_bytes())
    x = torch.tensor(np.frombuffer(images, np.uint8).reshape(-1, 784)/255)
    y = torch.tensor([[float(label == '3')] for label in told['labels']]).double()
    n, loss = told['train'], LOSSES[name]
    order = y[:n, 0].argsort(descending=True, stable=True)  # threes first

    def model_of(values):
        w, b = (torch.tensor(value, dtype=torch.float64) for value in values)
        return Linear(w[:, None], b[None])

    model = model_of(maths(box, INIT))
    reopen(box, f'?loss={name}&shuffle=&bs=256&lr=0.3&scale=0.1&step=12')
    until(box, 'run.steps === 12')
    for _ in range(3):  # epochs of four batches
        train_epoch(model, batches(x[order], y[order], 256), .3, loss)
    theirs = model_of(ask(box, '[[...run.model.w], run.model.b]'))
    for mine, other in zip(model, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)
    value, _, errors = validate(model, x[n:], y[n:], loss=loss)
    last = curve(box)[-1]
    assert abs(last[1] - value) < 1e-12 and last[2] == errors
