"""Drives nbs/widgets/handwriting.js: twenty digits, drawn in every way that there is, and what becomes of them."""
import tempfile
from pathlib import Path

import torch
from check_site import TOO_WIDE, audit

from mnist_nbdev.cli import mnist_train
from mnist_nbdev.evaluate import wilson
from mnist_nbdev.predict import ask
from mnist_nbdev.read import load_digits

PAGE = 'handwriting.html'
KEY = 'mnist_nbdev: handwriting'
STORED = f"JSON.parse(localStorage.getItem('{KEY}')).drawings"

SAMPLES = "box => { const press = text => [...box.querySelectorAll('button')].find(b => b.textContent === text)?.click(); while (!box.querySelector('[part=asking]').hidden) { press('Take a sample'); press('Next'); } }"
SHAPES = {'3': [(.3, .2), (.6, .2), (.65, .35), (.45, .47), (.68, .6), (.62, .78), (.3, .8)], '7': [(.3, .2), (.7, .22), (.55, .5), (.45, .8)]}
KEYS = {'3': 'Left*6 Up*8 Space Right*9 Down*7 Left*5 Right*6 Down*8 Left*10 Space', '7': 'Left*6 Up*8 Space Right*9 Down*5 Left*2 Down*5 Left*2 Down*5 Space'}


def press(box, name): box.get_by_role('button', name=name).click()


def progress(box):
    "Which digit is asked for, and its number."
    words = box.locator('.widget-verdict').inner_text().split()
    return words[words.index('draw') + 2].rstrip(','), int(words[0])


def strokes(box):
    "How many strokes are on the pad, as it says itself."
    return int(box.locator('.widget-pad').get_attribute('aria-label').rsplit(': ')[-1])


def by_mouse(page, box, digit):
    "Draw a digit, holding the button down."
    at, mouse = box.locator('.widget-pad').bounding_box(), page.mouse
    points = [(at['x'] + x*at['width'], at['y'] + y*at['height']) for x, y in SHAPES[digit]]
    mouse.move(*points[0]); mouse.down()
    for point in points[1:]: mouse.move(*point, steps=2)
    mouse.up()


def by_keys(page, box, digit):
    "Draw a digit with the arrows, the pad being where the keys go."
    for word in KEYS[digit].split():
        key, _, times = word.partition('*')
        for _ in range(int(times or 1)): page.keyboard.press('Space' if key == 'Space' else f'Arrow{key}')


def warm(page, box):
    "Take twenty samples; what is asked must be as sound as the result."
    assert audit(page) == [] and (page.viewport_size['width'] > 400 or page.evaluate(TOO_WIDE) == [])
    box.evaluate(SAMPLES)
    box.get_by_role('table').wait_for()


def download(page, box, name, folder):
    "Press a button that gives a file; where it was saved."
    with page.expect_download() as coming: press(box, name)
    path = Path(folder)/coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def drawn(page, box):
    "All twenty, in all the ways there are, with second thoughts; what was asked, and how many are samples."
    asked, tricked, samples = [], False, 0
    for n in range(1, 21):
        digit, number = progress(box)
        assert number == n, f'asked for number {number}, not {n}'
        asked.append(digit)
        if n == 1:
            press(box, 'Next')
            assert 'no ink' in box.inner_text() and progress(box)[1] == 1, 'an empty pad goes on'
        if n > 9 and digit == '7' and not tricked:  # a three, so that something is misread
            by_mouse(page, box, '3')
            tricked = True
        elif n % 3 == 0:
            press(box, 'Take a sample')
            samples += 1
        elif n % 3 == 1: by_mouse(page, box, digit)
        else: by_keys(page, box, digit)
        if n == 4:  # undo, clear, and draw again
            page.mouse.move(5, 5)
            press(box, 'Undo'); assert strokes(box) == 0
            by_mouse(page, box, digit); by_mouse(page, box, digit)
            assert strokes(box) == 2
            press(box, 'Clear')
            assert strokes(box) == 0
            by_mouse(page, box, digit)
        if n == 7:  # back to the sixth, a sample, which becomes one's own
            press(box, 'Back')
            assert progress(box) == (asked[5], 6) and strokes(box) > 0
            before = box.evaluate(f'() => {STORED}[5].pixels')
            press(box, 'Clear'); by_mouse(page, box, asked[5]); press(box, 'Next')
            assert box.evaluate(f'() => {STORED}[5].pixels') != before  # what was redrawn is what counts
            assert progress(box) == (digit, 7) and strokes(box) == 1  # the seventh as it was left
        if n == 9:  # a reload keeps what was drawn
            page.reload()
            page.locator('.widget[data-ready]').wait_for()
            assert progress(box) == (digit, 9) and strokes(box) > 0, 'a reload forgets'
        if n % 3 == 2: page.keyboard.press('Enter')
        else: press(box, 'Next')
    assert sorted(asked) == ['3']*10 + ['7']*10 and asked != sorted(asked)
    return [int(d) for d in asked], samples - 1


def drive(page, box):
    "Draw, look at the result, download, train, reload, forget."
    requests = []
    page.on('dialog', lambda dialog: dialog.accept())
    asked, samples = drawn(page, box)
    ends = page.evaluate("async () => { const {wilson} = await import(new URL('widgets/maths.js', document.baseURI)); return [0, 1, 7, 20].map(e => wilson(e, 20)); }")
    assert all(abs(u - v) < 1e-12 for pair, e in zip(ends, (0, 1, 7, 20)) for u, v in zip(pair, wilson(e, 20)))
    page.on('request', lambda request: requests.append(request.url))
    box.get_by_role('table').wait_for()
    cards, text = box.locator('.widget-card').all_inner_texts(), box.inner_text()
    assert [int(card.removeprefix('Wrong: ')[0]) for card in cards] == asked
    assert sum(card.endswith(', sample') for card in cards) == samples and f'Of your own {20 - samples} it read ' in text

    with tempfile.TemporaryDirectory() as tmp:
        table = download(page, box, 'Download a table', tmp)
        rows = torch.tensor([[int(v) for v in line.split(',')] for line in table.read_text().splitlines()[1:]])
        assert table.read_text().startswith('label,pixel0,pixel1,') and table.read_text().splitlines()[0].endswith(',pixel783') and rows[:, 0].tolist() == asked
        z = ask(rows[:, 1:].float()/255)[0][:, 0].double()
        answers, p = [3 if v > 0 else 7 for v in z], torch.sigmoid(z.abs())
        right = [a == d for a, d in zip(answers, asked)]
        for card, digit, answer, sure, ok in zip(cards, asked, answers, p.tolist(), right):
            percent = 'over 99.9%' if sure > .999 else f'{sure:.1%}'
            assert card.removesuffix(', sample') == f"{'' if ok else 'Wrong: '}{digit} read as {answer}, {percent} sure", (card, answer, sure)
        low, high = wilson(sum(right), 20)
        assert f'read {sum(right)} of 20 right: {sum(right)/20:.1%}' in text and f'{low:.1%} to {high:.1%}' in text, text
        cells = [[sum((d, a) == (row, column) for d, a in zip(asked, answers)) for column in (3, 7)] for row in (3, 7)]
        assert [[int(v) for v in row.split('\t')[1:]] for row in box.get_by_role('row').all_inner_texts()[1:]] == cells
        assert sum(map(sum, cells)) == 20 and cells[1][0]

        own = load_digits(table)
        assert len(own.valid_y) == 4 and len(own.train_y) == 16
        weights = Path(tmp)/'mine.safetensors'
        assert mnist_train(['--data', str(table), '--epochs', '2', '--out', str(weights)]) == 0 and weights.stat().st_size > 3000
    assert not [url for url in requests if not url.startswith('blob:')], f'something left the browser: {requests}'

    page.reload()
    box.get_by_role('table').wait_for()
    assert box.locator('.widget-card').all_inner_texts() == cards, 'a reload changes the result'
    press(box, 'Forget my drawings')
    assert progress(box)[1] == 1
    page.wait_for_function(f'{STORED}.every(d => !d.strokes.length && !d.pixels)')
    for nonsense in ('{"at":20,"drawings":[{"asked":3}]}', '{"at":1.5,"drawings":[1]}', '{'):
        page.evaluate(f"text => localStorage.setItem('{KEY}', text)", nonsense)
        page.reload()
        page.locator('.widget[data-ready]').wait_for()
        assert progress(box)[1] == 1, nonsense
