"""The demo, as visitors and programs use it, and as no one should."""

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from helpers import PATIENCE, ROOT, STROKES, audit, places, scribble
from PIL import Image
from playwright.sync_api import expect

from mnist_nbdev.data import ASSETS
from mnist_nbdev.read import MAX_BYTES

pytestmark = pytest.mark.xdist_group('demo')  # one worker starts the demo, once
WAITING = 'Draw a 3 or a 7.'
THREE, SEVEN = 'This is a 3.', 'This is a 7.'
NEITHER = 'This does not look like a 3 or a 7. It looks like a 5.'
NO_ANSWER = 'No answer.'
DESK = dict(viewport={'width': 1200, 'height': 800})
PHONE = dict(viewport={'width': 390, 'height': 844}, has_touch=True, is_mobile=True)
HARMLESS = (
    # Gradio's sheet sends its file again while the browser still reads it
    'RuntimeError: Response content longer than Content-Length',
    'starlette.requests.ClientDisconnect',  # a visitor left during an upload
)


@pytest.fixture(scope='session')
def demo():
    "The address of app.py; it may print no traceback."
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    env = os.environ | {'GRADIO_SERVER_PORT': str(port)}
    address = f'http://127.0.0.1:{port}/'
    with tempfile.TemporaryFile('w+') as said:
        out = dict(stdout=subprocess.DEVNULL, stderr=said)
        app = subprocess.Popen([sys.executable, 'app.py'], cwd=ROOT, env=env, **out)
        end = time.monotonic() + 120*PATIENCE
        while app.poll() is None and time.monotonic() < end:
            with suppress(URLError):
                urlopen(address)
                break
            time.sleep(.3)
        yield address
        app.terminate()
        app.wait()
        said.seek(0)
        tracebacks = said.read().split('Traceback (most recent call last):')[1:]
    grave = [text for text in tracebacks if not any(part in text for part in HARMLESS)]
    assert grave == []


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

    def open_page(**look):
        page = visit(demo, known='413', **look)
        expect(page.locator('#pad canvas').first).to_be_visible()
        page.wait_for_timeout(700)  # until the canvas is laid out
        return page

    return open_page


def reads(page, words, note=''):
    "Check the sentence on the page, and that the page fits."
    expect(page.locator('#words h2')).to_have_text(words)
    expect(page.locator('#words p')).to_contain_text(note)
    assert not page.evaluate('document.documentElement.scrollWidth > innerWidth')


def sheet(page): return page.locator('#pad canvas').first


def clear(page): page.get_by_label('Clear canvas').click()


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
        page.wait_for_timeout(800)
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
        expect(page.locator('#line')).to_contain_text('%')
        answer = 'neither' if words == NEITHER else digit
        expect(page.locator('#cnn h2')).to_have_text(answer)
        for name in ('#why-line', '#why-cnn', '#seen'):
            expect(page.locator(f'{name} img')).to_be_visible()
        if digit == '3': shoot(page, 'light')
        clear(page)
        reads(page, WAITING)


def test_finger(open_demo, shoot):
    page = open_demo(**PHONE)
    for digit, words in (('5', NEITHER), ('7', SEVEN)):
        touch(page, digit)
        reads(page, words)
        if digit == '5': shoot(page, 'phone', 1280)
        clear(page)
        reads(page, WAITING)
    for wait in (0, 150, 400, 800):  # cleared before the answer comes, or just then
        touch(page, '5')
        page.wait_for_timeout(wait)
        clear(page)
        page.wait_for_timeout(2500)
        reads(page, WAITING)
    assert audit(page) == []


def test_dark(open_demo, shoot):
    page = open_demo(color_scheme='dark', **DESK)
    page.get_by_label('barred seven').click()
    reads(page, SEVEN, 'The 785 numbers do not agree: probably a 3.')
    colour = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert sum(int(v) for v in colour.strip('rgba()').split(',')[:3]) < 150
    assert audit(page) == []
    shoot(page, 'dark')


def test_keyboard(open_demo):
    "The Tab key alone leads to the first example, and Enter chooses it."
    page = open_demo()
    script = """(e => [e.className, e.ariaLabel || e.innerText || e.tagName,
      getComputedStyle(e).outlineStyle])(document.activeElement)"""
    names = set()
    for _ in range(40):
        page.keyboard.press('Tab')
        kind, name, outline = page.evaluate(script)
        names.add(name)
        assert outline != 'none', f'nothing shows that {name!r} has the focus'
        if 'gallery-item' in kind:
            break
    page.keyboard.press('Enter')
    reads(page, THREE)
    assert {'Draw', 'Send a picture', 'Clear canvas'} <= names


def test_upload(open_demo, shoot, tmp_path):
    page = open_demo(**DESK)
    page.get_by_role('tab', name='Send a picture').click()

    def choose(name):
        page.wait_for_timeout(500)
        path = tmp_path/f'{name}.png'
        path.write_bytes(FILES[name])
        page.locator('#image input[type=file]').set_input_files(path)

    for name, words, note in (
        ('photo', SEVEN, ''),
        ('corrupt', NO_ANSWER, 'cannot be read as an image'),
        ('blank', NO_ANSWER, 'There is no ink'),
        ('html', NO_ANSWER, 'cannot be read as an image'),
        ('three', THREE, ''),
    ):
        choose(name)
        reads(page, words, note)
        if name == 'corrupt': shoot(page, 'refused')
        page.locator('#image').get_by_label('Remove Image').click()
        reads(page, WAITING)
    choose('huge')
    expect(page.locator('.toast-body')).to_contain_text('exceed')


# ---- a program


def post(address, path, body, kind='application/json'):
    "The status and text of an HTTP reply."
    request = Request(f'{address}gradio_api/{path}', body, {'Content-Type': kind})
    try:
        with urlopen(request, timeout=60*PATIENCE) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def upload(address, data, name='digit.png'):
    "The path that an uploaded file has on the server."
    what = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    form = b'--edge\r\n' + what.encode() + b'\r\n\r\n' + data + b'\r\n--edge--\r\n'
    kind = 'multipart/form-data; boundary=edge'
    status, text = post(address, 'upload', form, kind)
    assert status == 200, text
    return json.loads(text)[0]


def ask(address, body, name='predict'):
    "The answer of the API, or the sentence that it gives instead."
    status, text = post(address, f'call/{name}', body)
    if status != 200: return json.loads(text)['detail']
    event = json.loads(text)['event_id']
    url = f'{address}gradio_api/call/{name}/{event}'
    with urlopen(url, timeout=60*PATIENCE) as reply:
        kind, data = reply.read().decode().split('\ndata: ')[-2:]
    reply = json.loads(data)
    return reply[0] if kind.endswith('complete') else reply['error']


def asked(address, data, name='digit.png'):
    "The answer to an uploaded file."
    body = json.dumps({'data': [file(upload(address, data, name))]})
    return ask(address, body.encode())


def is_refused(ask, *args):
    "Check that the reply is a sentence, comes soon, and tells nothing of the server."
    began = time.monotonic()
    reply = ask(*args)
    assert isinstance(reply, str) and len(reply) > 20
    assert 'Traceback' not in reply and '/etc' not in reply
    assert time.monotonic() - began < 2*PATIENCE


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_file(demo, name):
    is_refused(asked, demo, HOSTILE[name])
    if len(HOSTILE[name]) < 1000: is_refused(asked, demo, HOSTILE[name], 'digit.svg')


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_request(demo, name):
    body = MALFORMED[name].replace('PATH', upload(demo, GOOD)).encode('latin-1')
    is_refused(ask, demo, body)
    if name != 'a list':  # to Gradio that is a drawing
        is_refused(ask, demo, body, 'predict_drawing')
    is_refused(ask, demo, body, 'no_such_name')


@pytest.mark.parametrize('clients', (50, 200))  # 200 are more than fit in the queue
def test_crowd(demo, clients):
    "Each of many at once is answered rightly, or told that the page is busy."
    sent = [('three', 3), ('seven', 7), ('photo', 7)]

    def one(i):
        name, digit = sent[i % len(sent)]
        reply = asked(demo, FILES[name])
        if isinstance(reply, str) and reply.startswith('Busy'): return 'busy'
        right = isinstance(reply, dict) and reply['digit'] == digit
        return 'right' if right else f'wrong: {reply}'

    with ThreadPoolExecutor(clients) as pool:
        count = Counter(pool.map(one, range(clients)))
    assert set(count) <= {'right', 'busy'} and count['right']
    assert one(0) == 'right'  # after the crowd it answers
