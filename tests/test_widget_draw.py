"""Draw and explain: what the page says of a drawing is what the package says of it."""

import math

import pytest
import torch
from helpers import STROKES, places, press, press_keys, says, scribble
from playwright.sync_api import expect

from mnist_nbdev.explain import evidence
from mnist_nbdev.ship import load_model

NAME, PAGE = 'draw', 'explain.html'
BY_KEYS = (  # a seven: the bar, then the stem
    'ArrowLeft*8 ArrowUp*6 Space*1 ArrowRight*13 ArrowDown*2 Shift+ArrowLeft*3 '
    'ArrowDown*9 Space*1'
)


def warm(box):
    press(box, 'Clear')
    scribble(pad_of(box), *STROKES['7'])
    settle(box, 'A seven')


def pad_of(box):
    "The pad, in the middle of the screen, not under the header."
    pad = box.get_by_role('application', name='Pad')
    pad.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    return pad


def settle(box, text):
    "Wait until the verdict says this, and no more is coming."
    says(box, text)
    box.page.wait_for_timeout(150)


def signed(v): return f'{v:+.2f}'.replace('-', '−')


def agrees(box):
    "Hold the page's words about the pixels that it made against the package."
    x = torch.tensor([box.evaluate('e => [...e.pixels]')])
    model = load_model()
    e, z = evidence(x, model)[0], model(x).item()
    digit, p = 'three' if z > 0 else 'seven', 1/(1 + math.exp(-abs(z)))
    sure = 'over 99.9%' if p > .999 else f'{p:.1%}'
    assert box.locator('.widget-verdict').inner_text() == (
        f'A {digit}, {sure} sure. '
        f'The probability of a three is σ({signed(z)}) = {1/(1 + math.exp(-z)):.4f}.'
    )
    sums = e.clamp(min=0).sum(), e.clamp(max=0).sum(), model.b.item(), z
    said = box.locator('.widget-sums b').all_inner_texts()
    assert said == [signed(v) for v in sums]


def test_draw(box):
    pad = pad_of(box)
    agrees(box)  # it begins with a sample
    press(box, 'Clear')
    settle(box, 'There is no ink yet')
    scribble(pad, *STROKES['3'])
    settle(box, 'A three')
    agrees(box)
    scribble(pad, [(.04, .95), (.04, .96)])  # a speck is dirt, to both
    box.page.wait_for_timeout(300)
    agrees(box)
    press(box, 'Undo', 'Undo')
    settle(box, 'There is no ink yet')
    scribble(pad, *STROKES['7'])
    settle(box, 'A seven')
    agrees(box)
    before = pad.screenshot()
    box.get_by_label('evidence on the drawing').uncheck()
    box.page.wait_for_timeout(100)
    assert pad.screenshot() != before


@pytest.mark.parametrize('button', ('A sample 3', 'A sample 7'))
def test_sample(box, button):
    press(box, button)  # it is drawn stroke by stroke
    drawn = 'e => e.pad.strokes.flat().length > 8'
    box.page.wait_for_function(drawn, arg=box.element_handle())
    box.page.wait_for_timeout(1500)
    agrees(box)


def test_keyboard(box):
    pad = pad_of(box)
    pad.press('Delete')
    settle(box, 'There is no ink yet')
    press_keys(pad, BY_KEYS)
    settle(box, 'A seven')
    agrees(box)
    [stroke] = box.evaluate('e => e.pad.strokes')
    assert (stroke[0], stroke[-1]) == ([30, 40], [92, 95])
    pad.press('Backspace')
    settle(box, 'There is no ink yet')


def test_cleared_while_drawing(box):
    pad, page = pad_of(box), box.page
    press(box, 'Clear')
    pad.focus()
    start, end = places(pad, [(.2, .2), (.3, .3)])
    page.mouse.move(*start)
    page.mouse.down()
    page.keyboard.press('Delete')
    page.mouse.move(*end)
    page.mouse.up()
    settle(box, 'There is no ink yet. Draw a digit, large enough to be seen.')
    expect(box.locator('.widget-spoken')).to_have_text('')
