"""Where a linear model stops: the page's network beside the package's, its controls."""

import re

import pytest
import torch
from helpers import choose, maths, press, says, scribble, slide
from playwright.sync_api import expect

from mnist_nbdev.linear import bce_loss
from mnist_nbdev.nets import Mlp

NAME, PAGE = 'bend', 'nets.html'
BENDS = re.compile('The network has every point right, the (line|linear model) has not')
STEP = """
  const [hidden, n] = values, net = m.initMlp(3, hidden, n), random = new m.Random(9);
  const some = length => Float64Array.from({length}, () => random.normal());
  for (const part of [...net.units, net.top]) part.b = random.normal();
  const lists = ({units, top}) => [
    units.map(unit => [...unit.w]), units.map(unit => unit.b), [...top.w], [top.b]];
  const x = some(40*n), y = some(40).map(v => +(v > 0)), z = net.logits(x);
  const {loss, grad} = m.LOSSES.bce_loss, slopes = net.backward(x, grad(z, y));
  const before = lists(net);
  net.step(slopes, .3);
  return [[[...x], [...y], [...z], loss(z, y)], [before, lists(slopes), lists(net)]];"""
FIRST = """const {units, top} = m.initMlp(0, 400, 50);
  return [units.flatMap(unit => [...unit.w]), [...top.w], units.map(unit => unit.b)];"""
COLOUR = """(c, y) => [...c.getContext('2d')
  .getImageData(c.width/2, y*c.height, 1, 1).data].slice(0, 3)"""


def warm(box):
    press(box, 'Play')
    expect(box.get_by_text(re.compile(r'Step \d{2,}'))).to_be_visible()
    says(box, re.compile('the (line|linear model) has not'))
    press(box, 'Pause')


def train(box, words):
    press(box, 'Play')
    says(box, words)
    press(box, 'Pause')


def at_step(box, step):
    expect(box.get_by_text(f'Step {step}', exact=True).first).to_be_visible()


def wrong(box):
    "How many points the linear model and the network have wrong."
    captions = box.locator('figcaption').all_inner_texts()
    return [int(re.search(r'(\d+) of', text)[1]) for text in captions]


def weights(box): return box.evaluate('e => JSON.stringify([e.line, e.net])')


def choose_points(box, points):
    choose(box, 'Points', points)
    at_step(box, 0)


def has_points(box, n, picture=0):
    caption = box.locator('figcaption').nth(picture)
    expect(caption).to_contain_text(re.compile(rf'of ({n}) wrong'))


@pytest.mark.parametrize('hidden, n', ((1, 1), (8, 2), (5, 7)))
def test_mathematics(box, hidden, n):
    numbers, networks = maths(box, STEP, hidden, n)
    x, y, z, loss = (torch.tensor(v, dtype=torch.float64) for v in numbers)
    x, y, z = x.reshape(40, n), y[:, None], z[:, None]

    def network(lists):
        w1, b1, w2, b2 = (torch.tensor(v, dtype=torch.float64) for v in lists)
        return Mlp(w1.T, b1, w2[:, None], b2)

    def close(a, b): torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)

    model, slopes, stepped = map(network, networks)
    close(z, model(x))
    close(loss, bce_loss(z, y))
    grads = model.backward(x, bce_loss.grad(z, y))
    for p, mine, grad, after in zip(model, slopes, grads, stepped, strict=True):
        close(mine, grad)
        close(after, p - .3*grad)


def test_first_weights(box):
    w1, w2, b1 = map(torch.tensor, maths(box, FIRST))
    assert abs(w1.var()*50/2 - 1) < .05
    assert abs(w2.var()*400/2 - 1) < .3
    assert not b1.any()


def test_xor(box):
    says(box, 'Press Play')
    at_step(box, 0)
    has_points(box, 48)
    first = weights(box)
    assert wrong(box)[0] > 0
    train(box, BENDS)
    assert wrong(box)[0] >= 12  # any line has a whole corner wrong
    assert wrong(box)[1] == 0
    paused = weights(box)
    box.page.wait_for_timeout(200)
    assert weights(box) == paused
    press(box, 'Reset')
    at_step(box, 0)
    assert weights(box) == first
    press(box, 'Step', 'Step')
    at_step(box, 2)
    twice = weights(box)
    press(box, 'Reset', 'Step', 'Step')
    at_step(box, 2)
    assert weights(box) == twice != first  # the same seed, the same run
    press(box, 'New random start')
    at_step(box, 0)
    assert weights(box) != first


def test_other_points(box):
    choose_points(box, 'two blobs')
    train(box, 'Both have every point right')
    assert wrong(box) == [0, 0]
    slide(box, 'Learning rate', 3)
    choose_points(box, 'ring')
    train(box, BENDS)
    assert wrong(box)[0] > 0
    choose_points(box, 'two moons')
    has_points(box, 48)
    slide(box, 'Hidden units', 1)
    at_step(box, 0)
    assert box.evaluate('e => e.net.units.length') == 1


def test_own_points(box):
    picture = box.get_by_role('application').first
    press(box, 'Clear')
    has_points(box, 0)
    press(box, 'Step')
    at_step(box, 1)
    assert 'NaN' not in box.inner_text() and 'null' not in weights(box)
    scribble(picture, [(.25, .25)])
    has_points(box, 1)
    scribble(picture, [(.2, .7), (.8, .7)], steps=20)
    has_points(box, '9|10|11')
    press(box, 'Undo')
    has_points(box, '8|9|10')
    press(box, 'Clear')
    has_points(box, 0)


def test_points_by_keyboard(box):
    press(box, 'Clear')
    network = box.get_by_role('application').nth(1)
    for name, keys in (('Red ●', ['ArrowUp']*3), ('Blue ■', ['ArrowDown']*6)):
        press(box, name)
        button = box.get_by_role('button', name=name)
        expect(button).to_have_attribute('aria-pressed', 'true')
        for key in (*keys, 'Space'): network.press(key)
    has_points(box, 2, picture=1)
    told = re.compile(r'Network: .*Cursor at 0\.0,-0\.3')
    expect(network).to_have_accessible_name(told)
    near = (.25, .75)  # beside each point, on the outer side
    before = [network.evaluate(COLOUR, y) for y in near]
    train(box, 'Both have every point right')
    red, blue = (network.evaluate(COLOUR, y) for y in near)
    assert [red, blue] != before
    assert red[0] > red[2] and blue[2] > blue[0]  # red above, blue below, as placed
    network.press('Backspace')
    has_points(box, 1, picture=1)
