"""Roll downhill: the page's steps beside PyTorch's, and its controls."""

import math
import re

import pytest
import torch
from helpers import choose, maths, press, says, scribble, slide
from playwright.sync_api import expect

NAME, PAGE = 'downhill', 'sgd.html'
SCRIPT = """const [t, y, places] = values;
  return [m.mse, m.gradient].map(f => places.map(p => f(t, y, p)));"""
COLOUR = """(canvas, [x, y]) => [...canvas.getContext('2d')
  .getImageData(canvas.width*x, canvas.height*y, 1, 1).data]"""
jacobian = torch.autograd.functional.jacobian


def warm(box):
    press(box, 'Step', 'Step', 'Play')
    expect(box.locator('.widget-numbers')).to_contain_text(re.compile(r'Step \d\d:'))
    press(box, 'Pause')


def double(values): return torch.tensor(values, dtype=torch.float64)


def close(a, b, rtol=1e-7, atol=1e-7):
    torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


class Clock:
    "The loss that the page was given for one unit of time; curvatures by autograd."

    def __init__(self, box, unit):
        options = box.evaluate('e => JSON.parse(e.dataset.options)')
        told = options['clocks'][unit]
        self.start, self.y = double(options['start']), double(options['y'])
        self.t, self.best = double(told['t']), double(told['best'])
        self.reach = told['reach']
        self.x = torch.stack([self.t**2, self.t, torch.ones_like(self.t)], 1)
        self.told = double(told['curvatures']), told['angle']
        hessian = torch.autograd.functional.hessian(self.loss, self.best)
        self.curvatures, self.directions = torch.linalg.eigh(hessian[::2, ::2])
        self.limit = (2/self.curvatures[1]).item()

    def loss(self, p): return ((self.x @ p - self.y)**2).mean()

    def descend(self, start, lr, steps):
        "The chapter's descent, with b at its best."
        path = [double([start[0], self.best[1], start[2]])]
        for _ in range(steps):
            grad = jacobian(self.loss, path[-1])
            path.append(path[-1] - lr*grad*double([1, 0, 1]))
        return torch.stack(path)

    def across(self, path):
        "How far each step goes across the valley."
        return ((path - self.best)[:, ::2] @ self.directions[:, 1]).diff().abs()

    def losses(self, path): return torch.stack([self.loss(p) for p in path])


@pytest.fixture
def clock(box): return Clock(box, 'u')


def path(box): return double(box.evaluate('e => e.path'))


def set_rate(box, percent):
    slide(box, 'Learning rate', percent, r'(\d+)% of the limit')


def walk(box, percent, steps):
    "From the start again, so many steps at a rate; gives the path."
    press(box, 'Reset')
    set_rate(box, percent)
    press(box, *['Step']*steps)
    return path(box)


@pytest.mark.parametrize('unit', ('u', 't'))
def test_mathematics(box, unit):
    clock, rng = Clock(box, unit), torch.Generator().manual_seed(0)
    noise = torch.randn(20, 3, generator=rng, dtype=torch.float64)
    places = torch.cat([clock.best[None], clock.best + 20*noise])
    sent = [clock.t.tolist(), clock.y.tolist(), places.tolist()]
    losses, grads = map(double, maths(box, SCRIPT, *sent))
    close(losses, clock.losses(places), 1e-9, 1e-9)
    expected = torch.stack([jacobian(clock.loss, p) for p in places])
    close(grads, expected, 1e-9, 1e-9*expected.abs().max().item())
    curvatures, angle = clock.told
    close(curvatures, clock.curvatures, 1e-8, 0)
    steepest = double([math.cos(angle), math.sin(angle)])
    assert abs(abs(steepest @ clock.directions[:, 1]) - 1) < 1e-8


def test_map(box, clock):
    "Places of the same loss have the same colour; their mirror images do not."

    def colour(x, y):
        where = [.5 + .275*x, .5 - .275*y]
        return box.locator('[part=map]').evaluate(COLOUR, where)

    a, c = clock.directions[:, 0].tolist()  # along the valley
    assert colour(a, c) == colour(-a, -c)
    assert sum(colour(a, -c)) > sum(colour(a, c)) + 60  # paler is higher


def test_play(box, clock):
    assert torch.equal(path(box)[:, ::2], clock.start[None, ::2])
    limit = f'2/{clock.curvatures[1]:.2f} = {clock.limit:.3f}'
    expect(box.locator('.widget-numbers')).to_contain_text(limit)
    says(box, 'press Play')
    press(box, 'Play')
    says(box, 'Arrived')
    press(box, 'Pause')
    walked = path(box)
    close(walked, clock.descend(clock.start, .75*clock.limit, len(walked) - 1))
    box.page.wait_for_timeout(300)
    assert len(path(box)) == len(walked)  # paused is paused
    press(box, 'Reset')
    assert len(path(box)) == 1


def test_drop(box, clock):
    "The ball goes where mouse and keys put it."
    ball = box.get_by_role('application', name=re.compile('Ball at'))

    def is_at(x, y):
        a = clock.best[0] + (2*x - 1)*clock.reach
        c = clock.best[2] + (1 - 2*y)*clock.reach
        close(path(box)[0, ::2], torch.stack([a, c]), 0, .2)

    scribble(ball, [(.2, .1)])
    is_at(.2, .1)
    scribble(ball, [(.2, .1), (.5, .5), (.9, .8)])
    is_at(.9, .8)
    ball.hover(position={'x': 30, 'y': 30})
    is_at(.9, .8)  # let go of
    before, name = path(box)[0], ball.get_attribute('aria-label')
    for key in ('ArrowLeft', 'ArrowUp', 'Shift+ArrowUp'): ball.press(key)
    close(path(box)[0] - before, double([-1, 0, 1.2])*clock.reach/20)
    expect(ball).not_to_have_attribute('aria-label', name)


def test_limit(box, clock):
    "Just below the limit it comes nearer, at the limit it stays, above it runs away."
    below = walk(box, 99, 8)
    says(box, 'Zig-zag')
    close(below, clock.descend(below[0], .99*clock.limit, 8))
    assert (clock.losses(below).diff() < 0).all()
    assert (clock.across(below).diff() < 0).all()
    above = walk(box, 101, 8)
    says(box, 'Diverging')
    assert (clock.across(above).diff() > 0).all()
    assert (clock.losses(above).diff()[-3:] > 0).all()
    across = clock.across(walk(box, 100, 4))
    says(box, 'At the limit')
    close(across, across[:1].expand(4), 1e-7, 0)
    walk(box, 120, 0)
    press(box, 'Play')
    expect(box.get_by_role('button', name='Play')).to_be_visible()  # stops by itself


def test_words(box):
    walk(box, 40, 2)
    says(box, 'Converging')
    set_rate(box, 1)
    press(box, 'Step', 'Step')
    says(box, 'Creeping')
    expect(box.locator('.widget-numbers')).to_contain_text('At this pace')


def test_in_seconds(box):
    choose(box, 'Count time', 't')
    clock = Clock(box, 't')
    assert len(path(box)) == 1
    assert math.isclose(path(box)[0, 1], clock.best[1])
    walked = walk(box, 40, 3)
    says(box, 'Creeping')
    close(walked, clock.descend(clock.start, .4*clock.limit, 3))
