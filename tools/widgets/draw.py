"Draw and explain: what the page says of a drawing is what the package says of it."
import math

import numpy as np

from mnist_nbdev.explain import evidence
from mnist_nbdev.predict import load_model, predict

PAGE = 'explain.html'
THREE = [(.3, .25), (.6, .22), (.65, .35), (.45, .48), (.68, .6), (.6, .78), (.3, .75)]
SEVEN = [(.28, .25), (.7, .25), (.45, .8)]


def pad_of(box): return box.get_by_role('application', name='Pad')


def scribble(page, pad, points):
    "Draw with the mouse, through points in shares of the pad."
    pad.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")  # not under the header
    area = pad.bounding_box()
    at = [(area['x'] + x*area['width'], area['y'] + y*area['height']) for x, y in points]
    page.mouse.move(*at[0]); page.mouse.down()
    for x, y in at[1:]: page.mouse.move(x, y, steps=5)
    page.mouse.up()


def drawn(box):
    "What is on the pad: (140, 140) uint8, white paper."
    ink = box.evaluate('e => [...e.pad.ink]')
    return (255 - 255*np.array(ink).reshape(140, 140)).round().astype(np.uint8)


def settle(page, box, text):
    "Wait until the verdict says this, and no more is coming."
    box.locator('.widget-verdict', has_text=text).wait_for(timeout=5000)
    page.wait_for_timeout(150)


def agrees(box):
    "Hold the page's words about what is on its pad against the package."
    p = predict(drawn(box))
    x = p.pixels.reshape(1, 784)
    e, z = evidence(x, load_model())[0], load_model()(x).item()
    signed = lambda v: f'{v:+.2f}'.replace('-', '−')
    sure = 'over 99.9%' if p.probability > .999 else f'{p.probability:.1%}'
    verdict = f'A {"three" if p.digit == 3 else "seven"}, {sure} sure. The probability of a three is σ({signed(z)}) = {1/(1 + math.exp(-z)):.4f}.'
    assert box.locator('.widget-verdict').inner_text() == verdict, (box.locator('.widget-verdict').inner_text(), verdict)
    said = box.locator('.widget-sums b').all_inner_texts()
    expected = [signed(v) for v in (e.clamp(min=0).sum().item(), e.clamp(max=0).sum().item(), load_model().b.item(), z)]
    assert said == expected, (said, expected)


def warm(page, box):
    box.get_by_role('button', name='Clear').click()
    scribble(page, pad_of(box), SEVEN)
    settle(page, box, 'A seven')


def drive(page, box):
    pad, verdict = pad_of(box), box.locator('.widget-verdict')
    agrees(box)  # it begins with a sample
    box.get_by_role('button', name='Clear').click()
    settle(page, box, 'There is no ink yet')
    scribble(page, pad, THREE); settle(page, box, 'A three'); agrees(box)
    scribble(page, pad, [(.04, .95), (.04, .96)]); page.wait_for_timeout(300); agrees(box)  # a speck is dirt, to both
    box.get_by_role('button', name='Undo').click(); box.get_by_role('button', name='Undo').click(); settle(page, box, 'There is no ink yet')
    scribble(page, pad, SEVEN); settle(page, box, 'A seven'); agrees(box)

    before = pad.screenshot()
    box.get_by_label('evidence on the drawing').uncheck()
    page.wait_for_timeout(100)
    assert pad.screenshot() != before

    for button in ('A sample 3', 'A sample 7'):  # drawn stroke by stroke
        box.get_by_role('button', name=button).click()
        page.wait_for_function("e => e.pad.strokes.flat().length > 8", arg=box.element_handle())
        page.wait_for_timeout(1500)
        agrees(box)

    pad.focus()  # a seven by keyboard: the bar, then the stem
    page.keyboard.press('Delete'); settle(page, box, 'There is no ink yet')
    for key, times in (('ArrowLeft', 8), ('ArrowUp', 6), (' ', 1), ('ArrowRight', 13), ('ArrowDown', 2), ('Shift+ArrowLeft', 3), ('ArrowDown', 9), (' ', 1)):
        for _ in range(times): page.keyboard.press(key)
    settle(page, box, 'A seven'); agrees(box)
    strokes = box.evaluate('e => e.pad.strokes')
    assert len(strokes) == 1 and strokes[0][0] == [30, 40] and strokes[0][-1] == [92, 95], strokes
    page.keyboard.press('Backspace'); settle(page, box, 'There is no ink yet')
    page.mouse.move(*[pad.bounding_box()[at] + 60 for at in 'xy']); page.mouse.down(); page.keyboard.press('Delete')
    page.mouse.move(*[pad.bounding_box()[at] + 90 for at in 'xy']); page.mouse.up()  # cleared while the pen was down: no error
    settle(page, box, 'There is no ink yet')
    page.wait_for_function("e => e.querySelector('.widget-spoken').textContent === ''", arg=box.element_handle())
    assert verdict.inner_text() == 'There is no ink yet. Draw a digit, large enough to be seen.'
