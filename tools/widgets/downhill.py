"Roll downhill: the step against the tutorial's own formula in PyTorch, both sides of the limit, and every control."
import math
import re

import torch
from playwright.sync_api import expect

PAGE = 'sgd.html'
MATHS = "const {gradient, mse, predictSpeed} = await import(new URL('widgets/maths.js', document.baseURI));"


def warm(page, box):
    box.get_by_role('button', name='Step', exact=True).click()
    box.get_by_role('button', name='Step', exact=True).click()
    box.get_by_role('button', name='Play').click()
    expect(box.locator('.widget-numbers')).to_contain_text(re.compile(r'Step ([5-9]|\d\d):'))
    box.get_by_role('button', name='Pause').click()


def columns(t): return torch.stack([t**2, t, torch.ones_like(t)], 1)


def mathematics(page, options):
    "The page's loss, gradient, Hessian and path beside autograd's."
    y = torch.tensor(options['y'], dtype=torch.float64)
    rng = torch.Generator().manual_seed(0)
    for clock in options['clocks'].values():
        t, best = (torch.tensor(clock[key], dtype=torch.float64) for key in ('t', 'best'))
        loss = lambda p: ((columns(t) @ p - y)**2).mean()
        places = torch.cat([best[None], best + 20*torch.randn(20, 3, generator=rng, dtype=torch.float64)])
        mine = page.evaluate(f"async ([t, y, places]) => {{ {MATHS} return {{loss: places.map(p => mse(t, y, p)), grad: places.map(p => gradient(t, y, p))}}; }}",
                             [t.tolist(), y.tolist(), places.tolist()])
        close = lambda a, b, scale=1: torch.testing.assert_close(torch.tensor(a, dtype=torch.float64), b, rtol=1e-9, atol=1e-9*scale)
        close(mine['loss'], torch.stack([loss(p) for p in places]))
        grads = torch.stack([torch.autograd.functional.jacobian(loss, p) for p in places])
        close(mine['grad'], grads, scale=grads.abs().max().item())
        H = torch.autograd.functional.hessian(loss, best)
        values, vectors = torch.linalg.eigh(H[::2, ::2])
        torch.testing.assert_close(torch.tensor(clock['curvatures'], dtype=torch.float64), values, rtol=1e-8, atol=0)
        assert abs(abs(torch.tensor([math.cos(clock['angle']), math.sin(clock['angle'])], dtype=torch.float64) @ vectors[:, 1]) - 1) < 1e-8
        clock.update(values=values, vectors=vectors, y=y)


def descend(clock, a, c, lr, steps):
    "The tutorial's descent, with b at its best."
    t, best = (torch.tensor(clock[key], dtype=torch.float64) for key in ('t', 'best'))
    path = [torch.tensor([a, best[1], c], dtype=torch.float64)]
    for _ in range(steps):
        r = columns(t) @ path[-1] - clock['y']
        path.append(path[-1] - lr*2*torch.stack([(r*t**2).mean(), torch.zeros_like(path[-1][0]), r.mean()]))
    return torch.stack(path)


def contours(box, clock):
    "On the map two places of the same loss have the same colour, and their mirror images, which do not, another."
    far = .55*clock['reach']
    def colour(x, y): return box.locator('[part=map]').evaluate('(canvas, [x, y]) => [...canvas.getContext("2d").getImageData(canvas.width*x, canvas.height*y, 1, 1).data]', [.5 + x*far/clock['reach']/2, .5 - y*far/clock['reach']/2])
    (a, c) = clock['vectors'][:, 0].tolist()  # along the valley
    assert colour(a, c) == colour(-a, -c) and sum(colour(a, -c)) > sum(colour(a, c)) + 60, (colour(a, c), colour(a, -c))  # paler is higher


def drive(page, box):
    options = box.evaluate('e => JSON.parse(e.dataset.options)')
    mathematics(page, options)
    contours(box, options['clocks']['u'])
    clock = options['clocks']['u']
    path = lambda: torch.tensor(box.evaluate('e => e.path'), dtype=torch.float64)
    press = lambda name: box.get_by_role('button', name=name, exact=True).click()
    verdict, rate, play = box.locator('.widget-verdict'), box.get_by_role('slider', name='Learning rate'), box.get_by_role('button', name=re.compile('Play|Pause'))
    ball = box.get_by_role('application', name=re.compile('Ball at'))
    limit = (2/clock['values'][1]).item()

    def set_rate(percent):
        rate.focus()
        for _ in range(20):
            now = int(re.search(r'(\d+)% of the limit', rate.get_attribute('aria-valuetext'))[1])
            if now == percent: return
            page.keyboard.press('ArrowRight' if now < percent else 'ArrowLeft')
        raise AssertionError(f'no rate of {percent}%')

    def steps(n):
        for _ in range(n): press('Step')

    # it begins at the tutorial's start, and nothing moves
    torch.testing.assert_close(path()[0, ::2], torch.tensor(options['start'], dtype=torch.float64)[::2], rtol=0, atol=0)
    assert len(path()) == 1 and play.inner_text() == 'Play'
    expect(box.locator('.widget-numbers')).to_contain_text(f"2/{clock['values'][1]:.2f} = {limit:.3f}")
    expect(verdict).to_contain_text('press Play')

    # Play, Pause and what it walked: the tutorial's path
    press('Play')
    expect(verdict).to_contain_text('Arrived')
    press('Pause')
    walked = path()
    torch.testing.assert_close(walked, descend(clock, *options['start'][::2], .75*limit, len(walked) - 1), rtol=1e-7, atol=1e-7)
    page.wait_for_timeout(300)
    assert len(path()) == len(walked)  # paused is paused
    press('Reset')
    assert len(path()) == 1

    # drop the ball by mouse, by drag and by keyboard
    place = ball.bounding_box()
    at = lambda x, y: (place['x'] + x*place['width'], place['y'] + y*place['height'])
    where = lambda x, y: torch.tensor([clock['best'][0] + (2*x - 1)*clock['reach'], clock['best'][2] + (1 - 2*y)*clock['reach']], dtype=torch.float64)
    page.mouse.click(*at(.2, .1))
    torch.testing.assert_close(path()[0, ::2], where(.2, .1), rtol=0, atol=.2)
    page.mouse.move(*at(.2, .1)); page.mouse.down(); page.mouse.move(*at(.5, .5)); page.mouse.move(*at(.9, .8)); page.mouse.up()
    torch.testing.assert_close(path()[0, ::2], where(.9, .8), rtol=0, atol=.2)
    page.mouse.move(*at(.1, .1))
    torch.testing.assert_close(path()[0, ::2], where(.9, .8), rtol=0, atol=.2)  # let go of
    before, name = path()[0], ball.get_attribute('aria-label')
    ball.press('ArrowLeft'), ball.press('ArrowUp'), ball.press('Shift+ArrowUp')
    torch.testing.assert_close(path()[0] - before, torch.tensor([-1, 0, 1.2], dtype=torch.float64)*clock['reach']/20)
    expect(ball).not_to_have_attribute('aria-label', name)

    # both sides of the limit
    excess = lambda: torch.stack([((columns(torch.tensor(clock['t'], dtype=torch.float64)) @ p - clock['y'])**2).mean() for p in path()])
    across = lambda: ((path() - torch.tensor(clock['best'], dtype=torch.float64))[:, ::2] @ clock['vectors'][:, 1]).diff().abs()
    set_rate(99)
    steps(8)
    expect(verdict).to_contain_text('Zig-zag')
    assert (excess().diff() < 0).all() and (across().diff() < 0).all()
    torch.testing.assert_close(path(), descend(clock, *path()[0, ::2].tolist(), .99*limit, 8), rtol=1e-7, atol=1e-7)
    press('Reset')
    set_rate(101)
    steps(8)
    expect(verdict).to_contain_text('Diverging')
    assert (across().diff() > 0).all() and (excess().diff()[-3:] > 0).all()
    press('Reset')
    set_rate(100)
    steps(4)
    expect(verdict).to_contain_text('At the limit')
    torch.testing.assert_close(across(), across()[:1].expand(4), rtol=1e-7, atol=0)
    set_rate(120)
    press('Reset'); press('Play')
    expect(box.get_by_role('button', name='Play')).to_be_visible()  # it stops when the loss has run away

    # other words
    press('Reset')
    set_rate(40)
    steps(2)
    expect(verdict).to_contain_text('Converging')
    set_rate(1)
    steps(2)
    expect(verdict).to_contain_text('Creeping')
    expect(box.locator('.widget-numbers')).to_contain_text('At this pace')

    # in seconds: a slit
    box.get_by_role('combobox', name='Count time').select_option('t')
    clock = options['clocks']['t']
    assert len(path()) == 1 and math.isclose(path()[0, 1].item(), clock['best'][1])
    set_rate(40)
    steps(3)
    expect(verdict).to_contain_text('Creeping')
    lr = .4*2/clock['values'][1].item()
    torch.testing.assert_close(path(), descend(clock, *options['start'][::2], lr, 3), rtol=1e-7, atol=1e-7)
