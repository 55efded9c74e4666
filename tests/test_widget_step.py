"""One step by hand: the page's numbers are those of the cell beside it."""

import re

import pytest
from helpers import choose, press

NAME, PAGE = 'step', 'linear.html'
SENTENCES = {
    'z': 'the logit is z = ',
    'p': 'makes of it p = ',
    'loss': 'so the loss is ',
    'slope': 'in the logit is ',
    'z after': 'now gets z = ',
    'p after': 'now gets z = [-+.0-9]+, p = ',
    'loss after': 'and the loss ',
}


def warm(box):
    press(box, 'Forward', 'Backward', 'Update')


def shown(box):
    "The numbers in the words of the widget, by the names of the chapter's table."
    words = ' '.join(box.locator('.widget-numbers:visible').all_inner_texts())
    words = words.replace('−', '-')
    found = {}
    for name, start in SENTENCES.items():
        found[name] = float(re.search(start + r'([-+]?\d+\.\d+)', words)[1])
    return found


def printed(page, loss, image):
    "The row of the table that the chapter's cell shows."
    table = page.locator('main table', has_text='loss after')
    head, *rows = [row.split('\t') for row in table.locator('tr').all_inner_texts()]
    numbers = next(row[2:] for row in rows if row[:2] == [loss, image])
    numbers = [float(number.replace('−', '-')) for number in numbers]
    return dict(zip(head[2:], numbers, strict=True))


@pytest.mark.parametrize('image', ('three', 'seven'))
@pytest.mark.parametrize('loss', ('mnist_loss', 'bce_loss'))
def test_numbers(box, loss, image):
    assert not box.get_by_role('application', name='The gradient').count()  # not yet
    choose(box, 'Loss', loss)
    choose(box, 'Image', str(int(image == 'seven')))
    warm(box)
    first = shown(box)
    assert first == printed(box.page, loss, image)
    press(box, 'Forward')  # the next step starts where this one ended
    sentence = box.locator('.widget-numbers:visible').all_inner_texts()[1]
    assert f'z = {first["z after"]:+.4f}'.replace('-', '−') in sentence
    press(box, 'Start again', 'Forward', 'Backward', 'Update')
    assert shown(box) == first


def test_keyboard(box):
    keys = box.page.keyboard
    choose(box, 'Image', '0')
    choose(box, 'Loss', 'mnist_loss')
    box.get_by_role('slider').press('ArrowRight')
    box.get_by_role('button', name='Forward').focus()
    for _ in range(3):
        keys.press('Enter')  # focus moves on to the button that is next
    usual = printed(box.page, 'mnist_loss', 'three')['loss after']
    assert shown(box)['loss after'] < usual
    assert '0.03 times' in box.inner_text()


def test_pixels(box):
    choose(box, 'Image', '0')
    choose(box, 'Loss', 'mnist_loss')
    box.get_by_role('slider').press('ArrowRight')
    warm(box)
    words = box.locator('.widget-numbers').first
    image = box.get_by_role('application', name='The image: a three')
    for key in 'Right Down Left Up Up'.split(): image.press(f'Arrow{key}')
    text = words.inner_text()
    assert 'row 13, column 14' in text
    numbers = re.findall(r'[+-]?\d+\.\d{4}', text.replace('−', '-'))
    ink, weight, product, gradient, new = map(float, numbers)
    assert abs(ink*weight - product) < 1e-4
    assert abs(weight - .03*gradient - new) < 1e-4
    weights = box.get_by_role('application', name='The weights')
    weights.click(position={'x': 20, 'y': 90})
    assert 'row 19, column 4' in words.inner_text()
    for _ in range(30): image.press('ArrowDown')
    assert 'row 27, column 4' in words.inner_text()  # at the edge it stops
