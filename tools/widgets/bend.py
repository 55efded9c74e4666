"Where a line stops: the page's network against the package's, and every control."
import re

import torch
from playwright.sync_api import expect

from mnist_nbdev.linear import bce_grad, bce_loss
from mnist_nbdev.nets import Mlp

PAGE = 'nets.html'


def warm(page, box):
    box.get_by_role('button', name='Play').click()
    expect(box.locator('.widget-verdict')).to_contain_text('the line has not')
    expect(box.get_by_text(re.compile(r'Step \d{2,}'))).to_be_visible()
    box.get_by_role('button', name='Pause').click()


def mathematics(page, box):
    "The page's network beside the package's: logits, loss and gradient on the same points."
    for hidden, n in ((1, 1), (8, 2), (5, 7)):
        mine = page.evaluate("""async ([hidden, n]) => {
            const {initMlp, Random, LOSSES} = await import(new URL('widgets/maths.js', document.baseURI));
            const net = initMlp(3, hidden, n), random = new Random(9), some = length => Float64Array.from({length}, () => random.normal());
            for (const line of [...net.units, net.top]) line.b = random.normal();
            const lists = ({units, top}) => ({w1: units.map(unit => [...unit.w]), b1: units.map(unit => unit.b), w2: [...top.w], b2: [top.b]});
            const x = some(40*n), y = some(40).map(v => +(v > 0)), z = net.logits(x), grad = net.backward(x, LOSSES.bce.grad(z, y)), before = lists(net);
            net.step(grad, .3);
            return {x: [...x], y: [...y], z: [...z], loss: LOSSES.bce.loss(z, y), net: before, grad: lists(grad), after: lists(net)};
        }""", [hidden, n])
        tensor = lambda values, *shape: torch.tensor(values, dtype=torch.float64).reshape(*shape)
        package = lambda net: Mlp(tensor(net['w1'], hidden, n).T, tensor(net['b1'], hidden), tensor(net['w2'], hidden, 1), tensor(net['b2'], 1))
        close = lambda a, b: torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
        model, x, y = package(mine['net']), tensor(mine['x'], 40, n), tensor(mine['y'], 40, 1)
        z = model(x)
        close(tensor(mine['z'], 40, 1), z)
        close(tensor(mine['loss'], ()), bce_loss(z, y))
        grad = model.backward(x, bce_grad(z, y))
        for name, ours, theirs, after in zip(Mlp._fields, package(mine['grad']), grad, package(mine['after'])):
            close(ours, theirs)
            close(after, getattr(model, name) - .3*theirs)
    wide = page.evaluate("async () => { const {initMlp} = await import(new URL('widgets/maths.js', document.baseURI)), {units, top} = initMlp(0, 400, 50); return {w1: units.flatMap(unit => [...unit.w]), w2: [...top.w], b1: units.map(unit => unit.b)}; }")
    assert abs(torch.tensor(wide['w1']).var()*50/2 - 1) < .05 and abs(torch.tensor(wide['w2']).var()*400/2 - 1) < .3 and not any(wide['b1'])


def drive(page, box):
    mathematics(page, box)
    press = lambda name: box.get_by_role('button', name=name, exact=True).click()
    verdict, captions, pictures = box.locator('.widget-verdict'), box.locator('figcaption'), box.get_by_role('application')
    points = lambda: int(re.search(r'of (\d+) wrong', captions.first.inner_text())[1])
    wrong = lambda: [int(re.search(r'(\d+) of', text)[1]) for text in captions.all_inner_texts()]
    weights = lambda: box.evaluate('e => JSON.stringify([e.line, e.net])')
    choose = lambda name: box.get_by_role('combobox', name='Points').select_option(name)

    def settled(step):
        expect(box.get_by_text(f'Step {step}', exact=True).first).to_be_visible()

    def train(words):
        press('Play')
        expect(verdict).to_contain_text(words, timeout=15_000)
        press('Pause')

    def slide(label, text):
        control = box.get_by_role('slider', name=label)
        control.focus()
        for _ in range(10):
            now = control.get_attribute('aria-valuetext')
            if now == text: return
            page.keyboard.press('ArrowRight' if float(now) < float(text) else 'ArrowLeft')
        raise AssertionError(f'{label} has no {text}')

    # XOR, not yet trained, and nothing moves
    expect(verdict).to_contain_text('Press Play')
    settled(0)
    first = weights()
    assert points() == 48 and wrong()[0] > 0

    # the line never has XOR right, the network has
    train('The network has every point right, the line has not')
    assert wrong()[0] >= 12 and wrong()[1] == 0  # any line has a whole corner wrong
    at, losses = weights(), captions.all_inner_texts()
    page.wait_for_timeout(200)
    assert weights() == at and captions.all_inner_texts() == losses  # paused is paused

    # the same seed, the same run; another start is another
    press('Reset')
    settled(0)
    assert weights() == first
    press('Step'), press('Step')
    settled(2)
    twice = weights()
    press('Reset'), press('Step'), press('Step')
    settled(2)
    assert weights() == twice != first
    press('New random start')
    settled(0)
    assert weights() != first

    # two blobs: both; a ring: only the network
    choose('two blobs')
    settled(0)
    train('Both have every point right')
    assert wrong() == [0, 0]
    slide('Learning rate', '3')
    choose('ring')
    settled(0)
    train('The network has every point right, the line has not')
    assert wrong()[0] > 0
    choose('two moons')
    settled(0)
    assert points() == 48

    # too narrow a network cannot bend enough
    slide('Hidden units', '1')
    settled(0)
    assert box.evaluate('e => e.net.units.length') == 1
    slide('Hidden units', '8')
    slide('Learning rate', '0.3')

    # points by mouse and drag, by keyboard, on either picture, of either class
    press('Clear')
    expect(captions.first).to_contain_text('0 of 0 wrong')
    press('Step')
    settled(1)
    assert 'NaN' not in box.inner_text() and 'null' not in weights()  # no points, no harm
    place = pictures.first.bounding_box()
    spot = lambda x, y: (place['x'] + x*place['width'], place['y'] + y*place['height'])
    page.mouse.click(*spot(.25, .25))
    expect(captions.first).to_contain_text('of 1 wrong')
    page.mouse.move(*spot(.2, .7)); page.mouse.down(); page.mouse.move(*spot(.8, .7), steps=20); page.mouse.up()
    expect(captions.first).to_contain_text(re.compile(r'of (9|10|11) wrong'))
    press('Undo')
    expect(captions.first).to_contain_text(re.compile(r'of (8|9|10) wrong'))
    press('Clear')
    expect(captions.first).to_contain_text('of 0 wrong')
    network, shades = pictures.nth(1), lambda: pictures.nth(1).evaluate("c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].join()")
    for name, keys in (('Red ●', ['ArrowUp']*3), ('Blue ■', ['ArrowDown']*6)):
        press(name)
        expect(box.get_by_role('button', name=name)).to_have_attribute('aria-pressed', 'true')
        network.focus()
        for key in (*keys, 'Space'): network.press(key)
    expect(captions.nth(1)).to_contain_text('of 2 wrong')
    expect(network).to_have_accessible_name(re.compile(r'Network: .*Cursor at .*-0\.7'))
    before = shades()
    train('Both have every point right')
    assert shades() != before
    red, blue = (network.evaluate(f"c => [...c.getContext('2d').getImageData(c.width/4, c.height*{y}, 1, 1).data].slice(0, 3)") for y in (.1, .9))
    assert red[0] > red[2] and blue[2] > blue[0]  # red above, blue below, as placed
    network.press('Backspace')
    expect(captions.nth(1)).to_contain_text('of 1 wrong')
