"""Your own handwriting: twenty digits drawn in every way, and what becomes of them."""

from urllib.parse import urljoin

import pytest
import torch
from helpers import STROKES, audit, look, maths, press, press_keys, says, scribble

from mnist_nbdev.cli import mnist_train
from mnist_nbdev.evaluate import wilson
from mnist_nbdev.predict import ask
from mnist_nbdev.read import load_digits

NAME, PAGE = 'handwriting', 'handwriting.html'
START = 'ArrowLeft*6 ArrowUp*8 Space*1 ArrowRight*9 '
KEYS = {
    '3': 'ArrowDown*7 ArrowLeft*5 ArrowRight*6 ArrowDown*8 ArrowLeft*10 Space*1',
    '7': 'ArrowDown*5 ArrowLeft*2 ArrowDown*5 ArrowLeft*2 ArrowDown*5 Space*1',
}
KEY = 'mnist_nbdev: handwriting'
STORED = f"JSON.parse(localStorage.getItem('{KEY}')).drawings"


def warm(box):
    "Take twenty samples; what asks for them must be as sound as the result."
    narrow = box.page.viewport_size['width'] < 400
    assert audit(box.page) + (look(box.page, 'tooWide') if narrow else []) == []
    for _ in range(20): press(box, 'Take a sample', 'Next')
    box.get_by_role('table').wait_for()


def asked(box):
    "Which digit is asked for, and its number."
    words = box.locator('.widget-verdict').inner_text().split()
    return words[words.index('draw') + 2].rstrip(','), int(words[0])


def strokes(box):
    "How many strokes are on the pad, as it says itself."
    return int(pad(box).get_attribute('aria-label').rsplit(': ')[-1])


def pad(box): return box.locator('.widget-pad')


def by_mouse(box, digit): scribble(pad(box), *STROKES[digit], steps=2)


def by_keys(box, digit): press_keys(pad(box), START + KEYS[digit])


def reload(box):
    box.page.reload()
    box.wait_for()


def test_second_thoughts(box):
    first, number = asked(box)
    assert number == 1
    press(box, 'Next')
    assert 'no ink' in box.inner_text() and asked(box)[1] == 1
    by_mouse(box, first)
    press(box, 'Undo')
    assert strokes(box) == 0
    by_mouse(box, first)
    by_mouse(box, first)
    assert strokes(box) == 2
    press(box, 'Clear')
    assert strokes(box) == 0
    press(box, 'Take a sample', 'Next')
    second, number = asked(box)
    assert number == 2
    by_mouse(box, second)
    press(box, 'Back')  # to the sample, which is drawn anew
    assert asked(box) == (first, 1) and strokes(box) > 0
    before = box.page.evaluate(f'{STORED}[0].pixels')
    press(box, 'Clear')
    by_mouse(box, first)
    press(box, 'Next')
    now = box.page.evaluate(f'{STORED}[0].pixels')
    assert now != before  # what was redrawn is what counts
    assert asked(box) == (second, 2) and strokes(box) == 1  # as it was left
    reload(box)
    assert asked(box) == (second, 2) and strokes(box) == 1


def draw_twenty(box):
    "Draw what is asked, in all ways; the digits, and how many are samples."
    digits, tricked, samples = [], False, 0
    for n in range(20):
        digit, number = asked(box)
        assert number == n + 1
        digits.append(int(digit))
        if n > 8 and digit == '7' and not tricked:  # so that something is misread
            by_mouse(box, '3')
            tricked = True
        elif n % 3 == 0:
            press(box, 'Take a sample')
            samples += 1
        else:
            (by_mouse if n % 3 == 1 else by_keys)(box, digit)
        if n % 3 == 2:
            pad(box).press('Enter')
        else:
            press(box, 'Next')
    assert sorted(digits) == [3]*10 + [7]*10 != digits
    return digits, samples


def test_twenty(box, tmp_path):
    page, requests = box.page, []
    page.on('request', lambda request: requests.append(request.url))
    page.on('dialog', lambda dialog: dialog.accept())
    digits, samples = draw_twenty(box)
    box.get_by_role('table').wait_for()
    with page.expect_download() as coming:
        press(box, 'Download a table (CSV)')
    table = tmp_path/coming.value.suggested_filename
    coming.value.save_as(table)
    pictures = urljoin(page.url, '28_handwriting_files/')  # come when they are in sight
    assert [url for url in requests if not url.startswith(('blob:', pictures))] == []
    head, *lines = table.read_text('utf-8').split()
    assert head == ','.join(['label', *(f'pixel{i}' for i in range(784))])
    rows = torch.tensor([[int(v) for v in line.split(',')] for line in lines])
    assert rows[:, 0].tolist() == digits
    said = check_result(box, digits, rows[:, 1:]/255, samples)
    own = load_digits(table)
    assert (len(own.train_y), len(own.valid_y)) == (16, 4)
    weights = tmp_path/'own.safetensors'
    command = ['--data', str(table), '--epochs', '2', '--out', str(weights)]
    assert mnist_train(command) == 0
    assert weights.stat().st_size > 3000
    reload(box)
    box.get_by_role('table').wait_for()
    assert box.locator('.widget-card').all_inner_texts() == said
    press(box, 'Forget my drawings')
    assert asked(box)[1] == 1
    page.wait_for_function(f'{STORED}.every(d => !d.strokes.length && !d.pixels)')


def check_result(box, digits, x, samples):
    "Hold what the page says of the drawings against the package; gives its words."
    z = ask(x.float())[0][:, 0].double()
    read = [3 if v > 0 else 7 for v in z]
    pairs = list(zip(digits, read, strict=True))
    cards, text = box.locator('.widget-card').all_inner_texts(), box.inner_text()
    assert sum(card.endswith(', sample') for card in cards) == samples
    assert f'Of your own {20 - samples} it read ' in text
    for card, (digit, answer), p in zip(cards, pairs, z.abs().sigmoid(), strict=True):
        sure = 'over 99.9%' if p > .999 else f'{p:.1%}'
        wrong = '' if digit == answer else 'Wrong: '
        words = f'{wrong}{digit} read as {answer}, {sure} sure'
        assert card.removesuffix(', sample') == words
    right = sum(digit == answer for digit, answer in pairs)
    low, high = wilson(right, 20)
    assert f'read {right} of 20 right: {right/20:.1%}' in text
    assert f'{low:.1%} to {high:.1%}' in text
    lines = box.get_by_role('row').all_inner_texts()[1:]
    counts = [[int(v) for v in line.split('\t')[1:]] for line in lines]
    assert counts == [[pairs.count((d, a)) for a in (3, 7)] for d in (3, 7)]
    assert counts[1][0]  # a seven read as a three
    return cards


def test_wilson(box):
    found = maths(box, 'return [0, 1, 7, 20].map(errors => m.wilson(errors, 20));')
    for pair, errors in zip(found, (0, 1, 7, 20), strict=True):
        assert pair == pytest.approx(wilson(errors, 20), abs=1e-12)


@pytest.mark.parametrize('stored', (
    '{"at":20,"drawings":[{"asked":3}]}', '{"at":1.5,"drawings":[1]}', '{'
))
def test_nonsense_stored(box, stored):
    box.page.evaluate(f"text => localStorage.setItem('{KEY}', text)", stored)
    reload(box)
    says(box, '1 of 20')
    assert asked(box)[1] == 1
