"One step by hand: the page's numbers are those of the cell beside it."
import re

PAGE = 'linear.html'


def press(box, *names):
    for name in names: box.get_by_role('button', name=name).click()


def shown(box):
    "The numbers in the words of the widget, by the names of the chapter's table."
    words = ' '.join(box.locator('.widget-numbers:visible').all_inner_texts()).replace('−', '-')
    number = lambda pattern: float(re.search(pattern + r'([-+]?\d+\.\d+)', words)[1])
    return {'z': number('the logit is z = '), 'p': number(r'makes of it p = '), 'loss': number('so the loss is '), 'slope': number('in the logit is '),
            'z after': number('now gets z = '), 'p after': number('now gets z = [-+.0-9]+, p = '), 'loss after': number('and the loss ')}


def cell(page):
    "The table that the chapter's cell printed: {loss: {image: {name: number}}}."
    lines = page.locator('pre', has_text='loss after').last.inner_text().splitlines()
    names = re.findall(r'(?:loss|z|p|slope)(?: after)?', lines[0].removeprefix('loss       image'))
    table = {}
    for line in lines[1:]:
        loss, image, *numbers = line.split()
        table.setdefault(loss, {})[image] = dict(zip(names, map(float, numbers), strict=True))
    return table


def warm(page, box): press(box, 'Forward', 'Backward', 'Update')


def drive(page, box):
    expected = cell(page)
    assert box.get_by_role('application', name='The gradient').count() == 0  # nothing is given away
    for loss, name in (('mean', 'mnist_loss'), ('bce', 'bce_loss')):
        for i, digit in enumerate(('three', 'seven')):
            box.get_by_role('combobox', name='Loss').select_option(loss)
            box.get_by_role('combobox', name='Image').select_option(str(i))
            press(box, 'Forward', 'Backward', 'Update')
            assert shown(box) == expected[name][digit], (shown(box), expected[name][digit])

    first = shown(box)
    press(box, 'Forward')  # the next step starts where this one ended
    assert f"z = {first['z after']:+.4f}".replace('-', '−') in box.locator('.widget-numbers:visible').all_inner_texts()[1]
    press(box, 'Start again', 'Forward', 'Backward', 'Update')
    assert shown(box) == first

    box.get_by_role('combobox', name='Image').select_option('0')
    box.get_by_role('combobox', name='Loss').select_option('mean')
    box.get_by_role('slider').focus()
    page.keyboard.press('ArrowRight')
    box.get_by_role('button', name='Forward').focus()
    for _ in range(3): page.keyboard.press('Enter')  # focus moves on to the button that is next
    assert shown(box)['loss after'] < expected['mnist_loss']['three']['loss after'] and '0.03 times' in box.inner_text()
    box.get_by_role('application', name='The image: a three').focus()
    for key in ('ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp', 'ArrowUp'): page.keyboard.press(key)
    text = box.locator('.widget-numbers').first.inner_text()
    ink, weight, product, gradient, new = (float(v.replace('−', '-')) for v in re.findall(r'[+−]?\d+\.\d{4}', text))
    assert 'row 13, column 14' in text and abs(ink*weight - product) < 1e-4 and abs(weight - .03*gradient - new) < 1e-4, text
    before = text
    box.get_by_role('application', name='The weights').click(position={'x': 20, 'y': 90})
    assert 'row 19, column 4' in box.locator('.widget-numbers').first.inner_text() != before
    box.get_by_role('application', name='The image: a three').focus()
    for _ in range(30): page.keyboard.press('ArrowDown')
    assert 'row 27, column 4' in box.locator('.widget-numbers').first.inner_text()  # at the edge it stops
