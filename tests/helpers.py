"""What several tests need: to look at a page as a reader would, and to draw on it."""

import os
import re
from configparser import ConfigParser
from importlib.resources import files
from math import cos, radians, sin
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect

from mnist_nbdev.linear import bce_loss, mnist_loss

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT/'_docs'
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
SETTINGS = ConfigParser(delimiters=['='])
SETTINGS.read(ROOT/'settings.ini', encoding='utf-8')
CFG = SETTINGS['DEFAULT']
BASE = CFG['doc_baseurl'].rstrip('/') + '/'  # the site's address below its host
PATIENCE = float(os.environ.get('PATIENCE', 1))  # stretches limits of time
WIDE = {'width': 1280, 'height': 900}
NARROW = {'width': 360, 'height': 740}
LOSSES = {loss.name: loss for loss in (mnist_loss, bce_loss)}
AXE = files('axe_playwright_python').joinpath('axe.min.js').read_text('utf-8')
LOOKS = (ROOT/'tests'/'looks.js').read_text('utf-8')


def watch(page, faults, known='^$'):
    "Note what a page complains of, and asks of other hosts, but for `known` faults."

    def note(fault):
        if not re.search(known, fault): faults.append(fault)

    def requested(request):
        here, there = urlsplit(page.url), urlsplit(request.url)
        local = there.scheme in ('data', 'blob') or request.is_navigation_request()
        if not local and there.netloc != here.netloc:
            note(f'outside request: {request.url}')

    def said(message):
        if message.type == 'error':
            note(f'console: {message.text} {message.location.get("url")}')

    def answered(response):
        if response.status >= 400:
            note(f'failed request: {response.status} {response.url}')

    def failed(request):
        if request.failure != 'net::ERR_ABORTED':  # aborted: the page was left
            note(f'failed request: {request.url}')

    page.on('request', requested)
    page.on('console', said)
    page.on('pageerror', lambda error: note(f'script: {error}'))
    page.on('response', answered)
    page.on('requestfailed', failed)


def unfold(page):
    "Open all folds."
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


def look(page, *questions):
    "What is wrong with a page, by questions that tests/looks.js asks."
    page.evaluate(LOOKS)
    return [fault for what in questions for fault in page.evaluate(f'looks.{what}()')]


def audit(page, part=None, questions=('names', 'colours')):
    "Axe's serious and critical findings in a part of the page, or in all of it."
    unfold(page)
    page.evaluate(LOOKS)
    page.evaluate(AXE)
    return [fault for what in questions
            for fault in page.evaluate(f'part => looks.{what}(part)', part)]


def press(box, *names):
    "Click buttons by their exact names."
    for name in names: box.get_by_role('button', name=name, exact=True).click()


def choose(box, label, value):
    box.get_by_role('combobox', name=label).select_option(value)


def says(box, words):
    "Wait for words in what the widget says of it all."
    expect(box.locator('.widget-verdict')).to_contain_text(words)


def maths(box, script, *values):
    "What a script returns that has `values`, and the page's mathematics as `m`."
    start = "const m = await import(new URL('widgets/maths.js', document.baseURI));"
    return box.page.evaluate(f'async values => {{ {start} {script} }}', values)


def press_keys(element, words):
    "Press keys, as often as is said: `ArrowLeft*8 Space*1`."
    for word in words.split():
        key, times = word.split('*')
        for _ in range(int(times)): element.press(key)


def slide(box, label, number, where='(.*)'):
    "Move a slider by its keys until its words say a number, in the place of a group."
    slider = box.get_by_role('slider', name=label)
    for _ in range(20):
        now = float(re.search(where, slider.get_attribute('aria-valuetext'))[1])
        if now == number: return
        slider.press('ArrowRight' if now < number else 'ArrowLeft')
    raise AssertionError(f'{label} has no {number}')


def _arc(x, y, r, start, stop):
    angles = map(radians, range(start, stop + 1, 30))
    return [(x + r*cos(a), y + r*sin(a)) for a in angles]


STROKES = {  # of a pen, in shares of a square pad
    '3': [_arc(.5, .35, .14, -150, 90) + _arc(.5, .65, .16, -90, 150)],
    '7': [[(.33, .22), (.67, .22), (.57, .47), (.45, .8)]],
    '5': [
        [(.38, .22), (.36, .46)] + _arc(.48, .63, .18, -120, 150),
        [(.38, .22), (.67, .22)],
    ],
}


def places(pad, stroke):
    "Where the points of a stroke are on the page."
    area = pad.bounding_box()
    side = min(area['width'], area['height'])
    left = area['x'] + (area['width'] - side)/2
    top = area['y'] + (area['height'] - side)/2
    return [(left + x*side, top + y*side) for x, y in stroke]


def scribble(pad, *strokes, steps=3):
    "Draw strokes on a pad with the mouse."
    mouse = pad.page.mouse
    for stroke in strokes:
        start, *way = places(pad, stroke)
        mouse.move(*start)
        mouse.down()
        for point in way: mouse.move(*point, steps=steps)
        mouse.up()
