"""The demo, as visitors and programs use it, and as no one should."""

import io
import json
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import PATIENCE, ROOT, STROKES, audit, places, press, press_keys, scribble
from PIL import Image
from playwright.sync_api import expect
from servers import ask, post, serving, uploaded

from mnist_nbdev.answer import answer
from mnist_nbdev.data import ASSETS
from mnist_nbdev.read import MAX_BYTES

pytestmark = pytest.mark.xdist_group('demo')  # one worker starts the demo, once
WAITING = 'Draw a 3 or a 7.'
THREE, SEVEN = 'This is a 3.', 'This is a 7.'
NEITHER = 'This does not look like a 3 or a 7. It looks like a 5.'
NO_ANSWER = 'No answer.'
PNG = re.compile('^data:image/png;base64,')
SMALL = {'width': 320, 'height': 640}
DESK = dict(viewport={'width': 1200, 'height': 800})
PHONE = dict(viewport={'width': 390, 'height': 844}, has_touch=True, is_mobile=True)
OURS = r'File ".*/(app|mnist_nbdev/\w+)\.py"'  # Gradio prints tracebacks of its own
LEFT = 'starlette.requests.ClientDisconnect'  # a visitor left during an upload


def untroubled(log):
    "Whether there is no traceback of ours in it."
    tracebacks = log.split('Traceback (most recent call last):')[1:]
    ours = [text for text in tracebacks if re.search(OURS, text)]
    return all(LEFT in text for text in ours)


@pytest.fixture(scope='session')
def demo(tmp_path_factory):
    "The address of app.py."
    folder = tmp_path_factory.mktemp('demo')
    with serving(folder, 'app.py', fine=untroubled) as address: yield address


# ---- what is sent


def saved(image):
    "The bytes of a PNG."
    buffer = io.BytesIO()
    image.save(buffer, 'PNG')
    return buffer.getvalue()


def blank(width, height, mode='L', colour=255):
    return saved(Image.new(mode, (width, height), colour))


def example(name): return (ASSETS/f'example-{name}.jpg').read_bytes()


GOOD = saved(Image.open(ASSETS/'example-0-three.jpg'))
FILES = {
    'three': GOOD,
    'seven': example('1-seven-drawn-with-a-mouse'),
    'photo': example('3-photo-of-a-seven'),
    'blank': blank(100, 100),
    'corrupt': GOOD[:200],
    'html': b'<html></html>',
    'pdf': b'%PDF-1.7 ' + bytes(100),
    'huge': bytes(MAX_BYTES + 1000),
}
HOSTILE = {  # 21_read tries more of them, without the server
    'cut in half': GOOD[:len(GOOD)//2],
    'damaged': GOOD[:60] + bytes(40) + GOOD[100:],
    'empty': b'',
    'an SVG': b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
    'HTML': b'<html><script>alert(7)</script></html>',
    'one pixel': blank(1, 1, colour=0),
    '1x10,000': blank(1, 10_000),
    'a bomb of 6,000x6,000': blank(6000, 6000, '1', 0),
}


def file(path, **more):
    "How a request names an uploaded file."
    return {'path': path, 'meta': {'_type': 'gradio.FileData'}} | more


MALFORMED = {  # data; PATH stands for the path of an uploaded file
    'nothing': [],
    'null': [None],
    'a number': [3],
    'a string': ['PATH'],
    'a list': [[file('PATH')]],
    'no path': [file(None)],
    'a number as path': [file(3)],
    'a folder': [file('PATH/..')],
    "the server's own file": [file('/etc/passwd')],
    'the same, unmarked': [{'path': '/etc/passwd'}],
    'the same, as a stream': [file('/etc/passwd', is_stream=True)],
    'a way out': [file('PATH/../../../../etc/passwd')],
    'an address': [file('http://127.0.0.1:1/seven.png')],
    'a data URL': [file(None, url='data:image/png;base64,AAAA')],
    'a null byte': [file('a\0b')],
}
MALFORMED = {name: json.dumps({'data': data}) for name, data in MALFORMED.items()} | {
    'no body': '',
    'broken JSON': '{',
    'not UTF-8': '\xff\xfe',
    'JSON null': 'null',
    'data of a wrong type': '{"data": 3}',
    'NaN': '{"data": [NaN]}',
    'nested 900 deep': '{"data":[' + '['*900 + ']'*900 + ']}',
    'nested 100,000 deep': '{"data":[' + '['*100_000 + ']'*100_000 + ']}',
}


# ---- a visitor


@pytest.fixture
def open_demo(visit, demo):
    "A function that opens the demo; in the end nothing may have complained."

    def open_page(known='^$', **look):
        page = visit(demo, known=known, **look)
        expect(page.locator('.widget[data-ready]')).to_be_visible()
        return page

    return open_page


def reads(page, words, note=''):
    "Check the sentence on the page, and that the page fits."
    expect(page.locator('[part=words]')).to_have_text(words)
    expect(page.locator('[part=note]')).to_contain_text(note)
    assert not page.evaluate('document.documentElement.scrollWidth > innerWidth')


def settled(page):
    "Wait for an answer, whatever it is."
    expect(page.locator('[part=answer]')).not_to_have_attribute('data-state', 'reading')


def sheet(page): return page.locator('[part=paper]')


def saved_sheet(page):
    "The bytes that the page saves as its picture."
    with page.expect_download() as download: press(page, 'Save the picture')
    return Path(download.value.path()).read_bytes()


def touch(page, digit):
    "Draw with a finger."
    device = page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{'x': x, 'y': y} for x, y in points]
        event = {'type': kind, 'touchPoints': points}
        device.send('Input.dispatchTouchEvent', event)

    for stroke in STROKES[digit]:
        start, *way = places(sheet(page), stroke)
        send('touchStart', start)
        for point in way: send('touchMove', point)
        send('touchEnd')


@pytest.fixture
def shoot(request):
    "With --pictures: a function that saves a picture of the top of a page."
    folder = request.config.getoption('pictures')

    def save(page, name, height=None):
        if not folder: return
        page.wait_for_timeout(500)
        page.mouse.move(0, 0)
        data = page.screenshot(full_page=True)
        picture = Image.open(io.BytesIO(data)).convert('RGB')
        picture = picture.crop((0, 0, picture.width, height or picture.height))
        few = picture.quantize(dither=Image.Dither.NONE)
        few.save(folder/f'{name}.png', optimize=True)

    return save


def test_mouse(open_demo, shoot):
    page = open_demo(**DESK)
    assert audit(page) == []
    for digit, words, note in (
        ('3', THREE, 'The 785 numbers'),
        ('7', SEVEN, 'The 785 numbers'),
        ('5', NEITHER, 'The 785 numbers cannot say so'),
    ):
        scribble(sheet(page), *STROKES[digit], steps=1)
        reads(page, words, note)
        expect(page.locator('[part=linear_bars]')).to_contain_text('%')
        bars = page.locator('[part=cnn_bars] > div')
        expect(bars).to_have_count(1 if words == NEITHER else 2)
        for name in ('seen', 'linear_why', 'cnn_why'):
            expect(page.locator(f'[part={name}]')).to_have_attribute('src', PNG)
        if digit == '3': shoot(page, 'light')
        press(page, 'Clear')
        reads(page, WAITING)
        expect(page.locator('[part=seen]')).to_be_hidden()


@pytest.mark.parametrize('look', (DESK, PHONE, dict(viewport=SMALL)))
def test_nothing_jumps(open_demo, look):
    "What stands below stays where it is, whatever the answer is."
    page = open_demo(**look)

    def place(): return page.locator('.desk-more').bounding_box()['y']

    before = place()
    scribble(sheet(page), *STROKES['7'], steps=1)
    reads(page, SEVEN)
    assert abs(place() - before) < 2
    assert audit(page) == []
    for button in page.locator('.desk button:visible').all():
        box = button.bounding_box()
        assert min(box['width'], box['height']) >= 44


def test_finger(open_demo, shoot):
    page = open_demo(**PHONE)
    sheet(page).tap()
    reads(page, 'This does not look like a digit.')
    press(page, 'Clear')
    for digit, words in (('5', NEITHER), ('7', SEVEN)):
        touch(page, digit)
        reads(page, words)
        if digit == '5': shoot(page, 'phone', 1280)
        press(page, 'Clear')
        reads(page, WAITING)
    for wait in (0, 150, 400, 800):  # cleared before the answer comes, or just then
        touch(page, '5')
        page.wait_for_timeout(wait)
        press(page, 'Clear')
        page.wait_for_timeout(1000)
        reads(page, WAITING)
    assert audit(page) == []


def draw_in_two(page, pause, times):
    "A three in two strokes: the answer that stays is about all of it."
    [whole] = STROKES['3']
    upper, lower = whole[:12], whole[9:]
    sent = []
    page.on('request', lambda r: sent.append(r.url) if '/upload' in r.url else None)
    for _ in range(times):
        sent.clear()
        scribble(sheet(page), upper, steps=1)
        page.wait_for_timeout(pause)
        scribble(sheet(page), lower, steps=1)
        expect(page.locator('[data-state=answered]')).to_be_visible()
        page.wait_for_timeout(500)
        expected = answer(saved_sheet(page))
        reads(page, expected.words, expected.note)
        assert len(sent) <= 2  # one for each question: after each stroke, at most
        press(page, 'Clear')


PAUSES = 0, 150, 400, 900  # ms between the two strokes


@pytest.mark.parametrize('pause', PAUSES)
def test_two_strokes(open_demo, pause): draw_in_two(open_demo(**DESK), pause, 3)


@pytest.mark.slow
@pytest.mark.parametrize('load', (0, 4))
@pytest.mark.parametrize('pause', PAUSES)
def test_twenty_in_two_strokes(open_demo, pause, load):
    "The same, twenty times, also on a machine that is busy with other things."
    busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass'])
            for _ in range(load)]
    try: draw_in_two(open_demo(**DESK), pause, 20)
    finally:
        for process in busy: process.kill()


def test_late_answer(open_demo):
    "An answer that comes when the drawing has gone on is never shown."
    page = open_demo(**DESK)
    page.evaluate("""() => {
      const words = document.querySelector('[part=words]');
      window.said = [];
      new MutationObserver(() => said.push(words.textContent))
        .observe(words, {childList: true});
    }""")
    late = []

    def hold_the_first(route):
        reply = route.fetch()
        if not late:
            late.append(reply.json()['words'])
            scribble(sheet(page), *STROKES['3'], steps=1)
        route.fulfill(response=reply)

    page.route('**/component_server/**', hold_the_first)
    scribble(sheet(page), *STROKES['7'], steps=1)
    expect(page.locator('[data-state=answered]')).to_be_visible()
    expected = answer(saved_sheet(page)).words
    reads(page, expected)
    assert late == [SEVEN] and expected != SEVEN
    assert set(page.evaluate('said')) <= {WAITING, 'Reading…', expected}


def test_offline(open_demo):
    page = open_demo('ERR_INTERNET_DISCONNECTED|failed request', **DESK)
    page.context.set_offline(True)
    scribble(sheet(page), *STROKES['7'], steps=1)
    reads(page, NO_ANSWER, 'cannot be reached')
    page.context.set_offline(False)
    press(page, 'Try again')
    reads(page, SEVEN)


def test_link(open_demo):
    "The address holds the drawing; what is not one is left alone."
    page = open_demo(**DESK)
    scribble(sheet(page), *STROKES['7'], steps=1)
    reads(page, SEVEN)
    drawn = saved_sheet(page)
    press(page, 'Copy a link to this answer')
    expect(page.locator('[part=done]')).to_contain_text('link')
    for link in page.locator('.desk-models a').all():  # each leads to a chapter
        name = link.get_attribute('href').split('/')[-1].removesuffix('.html')
        assert list(ROOT.glob(f'nbs/[0-9][0-9]_{name}.ipynb'))
    issue = page.get_by_role('link', name='That’s wrong').get_attribute('href')
    assert issue.startswith('https://github.com/') and 'drawing' in issue
    address = page.url
    page.goto('about:blank')
    page.goto(address)
    reads(page, SEVEN)
    assert saved_sheet(page) == drawn
    for bad in ('', 'AA', 'x'*3000, '%00', address.split('=')[1][:-5]):
        page.goto(f'{address.split("?")[0]}?drawing={bad}')
        reads(page, WAITING, 'This link is incomplete')
    page.goto(address)
    press(page, 'Clear')  # the address is that of what is on the sheet
    reads(page, WAITING)
    assert 'drawing' not in page.url
    press(page, 'Undo')
    reads(page, SEVEN)


def test_dark(open_demo, shoot):
    page = open_demo(color_scheme='dark', **DESK)
    press(page, 'barred seven')
    reads(page, SEVEN, 'The 785 numbers do not agree: probably a 3.')
    colour = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert sum(int(v) for v in colour.strip('rgba()').split(',')[:3]) < 150
    assert audit(page) == []
    shoot(page, 'dark')


def test_keyboard(open_demo):
    "Keys draw on the sheet, and lead to the first example, and choose it."
    page = open_demo()
    press_keys(sheet(page), 'ArrowLeft*5 ArrowUp*8 Space*1 ArrowRight*10')
    press_keys(sheet(page), 'ArrowDown*16')
    reads(page, WAITING.replace('Draw a 3 or a 7.', 'Reading…'))  # the pen is down
    press_keys(sheet(page), 'Space*1')
    expect(page.locator('[data-state=answered]')).to_be_visible()
    press_keys(sheet(page), 'Delete*1')
    reads(page, WAITING)
    script = """(e => [e.ariaLabel || e.innerText || e.tagName,
      getComputedStyle(e).outlineStyle])(document.activeElement)"""
    for _ in range(20):
        page.keyboard.press('Tab')
        name, outline = page.evaluate(script)
        assert outline != 'none', f'nothing shows that {name!r} has the focus'
        if name == 'three': break
    page.keyboard.press('Enter')
    reads(page, THREE)


def test_upload(open_demo, shoot, tmp_path):
    page = open_demo(**DESK)
    for name, words, note in (
        ('photo', SEVEN, ''),
        ('corrupt', NO_ANSWER, 'cannot be read as an image'),
        ('blank', NO_ANSWER, 'There is no ink'),
        ('html', NO_ANSWER, 'cannot be read as an image'),
        ('pdf', NO_ANSWER, 'a PDF document'),
        ('huge', NO_ANSWER, 'more than'),
        ('three', THREE, ''),
    ):
        path = tmp_path/f'{name}.png'
        path.write_bytes(FILES[name])
        page.locator('input[type=file]').set_input_files(path)
        reads(page, words, note)
        if name == 'corrupt': shoot(page, 'refused')
        press(page, 'Draw instead')
        reads(page, WAITING)


def test_picture(open_demo):
    "A picture can be pasted, turned and cropped; a box shows what was read."
    page = open_demo(**DESK)
    press(page, 'photo of a seven')
    reads(page, SEVEN)
    photo, place = page.locator('[part=photo]'), page.locator('[part=place]')
    whole, box = photo.bounding_box(), place.bounding_box()
    left, top, *_ = answer(FILES['photo']).cnn.box
    assert abs((box['x'] - whole['x'])/whole['width'] - left) < .02
    assert abs((box['y'] - whole['y'])/whole['height'] - top) < .02
    press(page, 'Turn left')
    settled(page)
    assert page.locator('[part=words]').inner_text() != SEVEN
    press(page, 'Turn right')
    reads(page, SEVEN)
    press(page, 'Closer')
    reads(page, SEVEN)
    assert place.bounding_box()['height'] > 2*box['height']
    press(page, 'Crop')
    whole = photo.bounding_box()
    page.mouse.move(whole['x'] + 3, whole['y'] + 3)
    page.mouse.down()
    page.mouse.move(whole['x'] + whole['width'] - 3, whole['y'] + whole['height'] - 3)
    page.mouse.up()
    reads(page, SEVEN)
    size = photo.get_attribute('width'), photo.get_attribute('height')
    press(page, 'Crop')  # by keys
    press_keys(photo, 'Shift+ArrowRight*5 Shift+ArrowDown*5 ArrowLeft*5 ArrowUp*5')
    press_keys(photo, 'Shift+ArrowRight*5 Shift+ArrowDown*5 Escape*1')
    reads(page, SEVEN)
    press(page, 'Crop')
    press_keys(photo, 'ArrowLeft*9 ArrowUp*9 Shift+ArrowRight*10')
    press_keys(photo, 'Shift+ArrowDown*10 Enter*1')
    reads(page, SEVEN)
    now = photo.get_attribute('width'), photo.get_attribute('height')
    assert [int(v) for v in now] == [int(v) for v in size]  # all of it
    page.evaluate("""async url => {
      const blob = await (await fetch(url)).blob(), data = new DataTransfer();
      data.items.add(new File([blob], 'three.png'));
      document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}));
    }""", 'data:image/png;base64,' + b64encode(GOOD).decode())
    reads(page, THREE)


def test_camera(open_demo):
    page = open_demo(permissions=['camera'], **DESK)
    press(page, 'Camera')
    expect(page.locator('[part=film]')).to_be_visible()
    page.wait_for_function("document.querySelector('[part=film]').videoWidth > 0")
    press(page, 'Take the photo')
    expect(page.locator('[part=photo]')).to_be_visible()
    settled(page)
    press(page, 'Draw instead')
    reads(page, WAITING)
    expect(sheet(page)).to_be_visible()


def test_other_browsers(demo, other_browser):
    "It draws and answers in Firefox without WebGL, and in WebKit."
    page = other_browser
    page.open(demo)
    page.until("!!document.querySelector('.widget[data-ready]')")
    for digit, words in (('3', THREE), ('7', SEVEN), ('5', NEITHER)):
        page.draw('[part=paper]', STROKES[digit])
        page.says('[part=words]', words)
        page.press('[part=clear]')
        page.says('[part=words]', WAITING)


# ---- a program


def call(address, body, name='predict'):
    "The answer of the API, or the sentence that it gives instead."
    status, text = post(address, f'call/{name}', body)
    if status != 200: return json.loads(text)['detail']
    event = json.loads(text)['event_id']
    url = f'{address}gradio_api/call/{name}/{event}'
    with ask(url, timeout=60*PATIENCE) as reply:
        kind, data = reply.read().decode().split('\ndata: ')[-2:]
    reply = json.loads(data)
    return reply[0] if kind.endswith('complete') else reply['error']


def asked(address, data, name='digit.png'):
    "The answer to an uploaded file."
    body = json.dumps({'data': [file(uploaded(address, data, name))]})
    return call(address, body.encode())


def is_refused(way, *args):
    "Check that the reply is a sentence, comes soon, and tells nothing of the server."
    began = time.monotonic()
    reply = way(*args)
    assert isinstance(reply, str) and len(reply) > 10
    assert 'Traceback' not in reply and 'root:' not in reply
    assert time.monotonic() - began < 5*PATIENCE


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_file(demo, name):
    is_refused(asked, demo, HOSTILE[name])
    if len(HOSTILE[name]) < 1000: is_refused(asked, demo, HOSTILE[name], 'digit.svg')


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_request(demo, name):
    body = MALFORMED[name].replace('PATH', uploaded(demo, GOOD)).encode('latin-1')
    is_refused(call, demo, body)
    is_refused(call, demo, body, 'no_such_name')


def looked(address, data):
    "What the page's own question about a file is answered, or the sentence instead."
    components = json.loads(ask(f'{address}config').read())['components']
    [sheet] = [part['id'] for part in components if part['type'] == 'html']
    body = {'data': uploaded(address, data), 'component_id': sheet, 'fn_name': 'look',
            'session_hash': 'crowd'}
    status, text = post(address, 'component_server', json.dumps(body).encode())
    assert status == 200, text
    reply = json.loads(text)
    return reply if 'pictures' in reply else reply['note']


@pytest.mark.parametrize('clients, way', (
    (50, asked), (50, looked), (200, looked),  # 200 are more than fit in the queue
    pytest.param(200, asked, marks=pytest.mark.slow)))
def test_crowd(demo, clients, way):
    "Each of many at once is answered rightly, or told that the page is busy."
    sent = [('three', THREE), ('seven', SEVEN), ('photo', SEVEN)]

    def one(i):
        name, words = sent[i % len(sent)]
        reply = way(demo, FILES[name])
        if isinstance(reply, str) and reply.startswith('Busy'): return 'busy'
        right = isinstance(reply, dict) and reply['words'] == words
        return 'right' if right else f'wrong: {reply}'

    with ThreadPoolExecutor(clients) as pool:
        count = Counter(pool.map(one, range(clients)))
    assert set(count) <= {'right', 'busy'} and count['right']
    assert one(0) == 'right'  # after the crowd it answers
