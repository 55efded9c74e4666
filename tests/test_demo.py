"""The demo, as visitors and programs use it, and as no one should."""

import io
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers import PATIENCE, ROOT, STROKES, audit, places, scribble
from PIL import Image
from playwright.sync_api import expect

from mnist_nbdev.data import load_sample
from mnist_nbdev.read import MAX_BYTES

pytestmark = pytest.mark.xdist_group('demo')  # one worker starts the demo, once
WAITING = 'Draw a 3 or a 7.'
THREE, SEVEN = 'This is a 3.', 'This is a 7.'
NEITHER = 'This does not look like a 3 or a 7.'
NO_ANSWER = 'No answer.'
PHONE = dict(viewport={'width': 390, 'height': 844}, has_touch=True, is_mobile=True)
HARMLESS = (
    # Gradio's sheet sends its file again while the browser still reads it
    'RuntimeError: Response content longer than Content-Length',
    'starlette.requests.ClientDisconnect',  # a visitor left during an upload
)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for(address, app):
    end = time.monotonic() + 120*PATIENCE
    while app.poll() is None and time.monotonic() < end:
        try:
            return urlopen(address)
        except URLError:
            time.sleep(.3)
    raise RuntimeError('app.py did not start')


@pytest.fixture(scope='session')
def demo():
    "The address of app.py; it may print no traceback."
    port = free_port()
    env = os.environ | {'GRADIO_SERVER_PORT': str(port)}
    address = f'http://127.0.0.1:{port}/'
    with tempfile.TemporaryFile('w+') as said:
        out = dict(stdout=subprocess.DEVNULL, stderr=said)
        app = subprocess.Popen([sys.executable, 'app.py'], cwd=ROOT, env=env, **out)
        try:
            wait_for(address, app)
            yield address
        finally:
            app.terminate()
            app.wait()
        said.seek(0)
        tracebacks = said.read().split('Traceback (most recent call last):')[1:]
    grave = [text for text in tracebacks if not any(part in text for part in HARMLESS)]
    assert grave == []


# ---- what is sent


def saved(image, format='PNG', **options):
    "The bytes of an image file."
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def on_paper(x):
    "A digit that no model saw, drawn large and dark on white."
    digit = Image.fromarray((255*(1 - x.reshape(28, 28))).byte().numpy())
    page = Image.new('RGB', (500, 400), 'white')
    page.paste(digit.resize((200, 200), Image.Resampling.BICUBIC), (40, 120))
    return page


def as_photo(page):
    "The page as a phone sees it: tilted, in uneven light, with grain."
    page = page.resize((1200, 960))
    turned = np.asarray(page.rotate(7, Image.Resampling.BICUBIC, fillcolor='white'))
    light = np.linspace(.55, .95, turned.shape[1])[:, None]*np.array([1, .95, .85])
    grain = np.random.default_rng(0).normal(0, 5, turned.shape)
    photo = (turned*light + grain).clip(0, 255).astype(np.uint8)
    return saved(Image.fromarray(photo), 'JPEG', quality=80)


@pytest.fixture(scope='session')
def paths(tmp_path_factory):
    "Files to send, by name."
    x = load_sample().valid_x
    three, seven = on_paper(x[100]), on_paper(x[1200])
    files = {
        'three.png': saved(three),
        'seven.png': saved(seven),
        'photo.jpg': as_photo(seven),
        'blank.png': saved(Image.new('L', (100, 100), 255)),
        'corrupt.png': saved(three)[:200],
        'html.png': b'<html></html>',
        'huge.png': bytes(MAX_BYTES + 1000),
    }
    folder = tmp_path_factory.mktemp('sent')
    for name, data in files.items(): (folder/name).write_bytes(data)
    return {name.split('.')[0]: folder/name for name in files}


def header(width, height):
    "A PNG that says that it is so large, and holds next to nothing."

    def chunk(kind, data):
        checksum = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + checksum

    size = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    data = chunk(b'IDAT', zlib.compress(bytes(1000)))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', size) + data + chunk(b'IEND', b'')


def zipped(data):
    with zipfile.ZipFile(buffer := io.BytesIO(), 'w') as archive:
        archive.writestr('digit.png', data)
    return buffer.getvalue()


def blank(width, height, mode='L', colour=255):
    return saved(Image.new(mode, (width, height), colour))


def long_gif():
    first, *others = [Image.new('L', (300, 300), 255 - i % 2) for i in range(300)]
    return saved(first, 'GIF', save_all=True, append_images=others)


HOSTILE = {  # what is made of the bytes of a good file
    'cut in half': lambda good: good[:len(good)//2],
    'a header alone': lambda good: good[:30],
    'damaged': lambda good: good[:60] + bytes(40) + good[100:],
    'empty': lambda good: b'',
    'zeros': lambda good: bytes(1000),
    'text': lambda good: b'I am a seven.',
    'an SVG': lambda good: b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
    'HTML': lambda good: b'<html><script>alert(7)</script></html>',
    'a zip': zipped,
    'one pixel': lambda good: blank(1, 1, colour=0),
    '1x10,000': lambda good: blank(1, 10_000),
    '10,000x1': lambda good: blank(10_000, 1),
    'a blank sheet': lambda good: blank(100, 100),
    'a bomb of 6,000x6,000': lambda good: blank(6000, 6000, '1', 0),
    'a bomb of 20,000x20,000': lambda good: header(20_000, 20_000),
    'the largest header': lambda good: header(2**31 - 1, 2**31 - 1),
    'a GIF of 300 frames': lambda good: long_gif(),
}


def file(path, **more):
    "How a request names an uploaded file."
    return {'path': path, 'meta': {'_type': 'gradio.FileData'}} | more


def drawing(composite):
    return {'background': None, 'layers': [], 'composite': composite}


def nested(depth): return b'{"data":[' + b'['*depth + b']'*depth + b']}'


MALFORMED = {  # by what it is, the data made of the path of an uploaded file
    'nothing': lambda path: [],
    'null': lambda path: [None],
    'a number': lambda path: [3],
    'a string': lambda path: [path],
    'a list': lambda path: [[file(path)]],
    'no path': lambda path: [file(None)],
    'a number as path': lambda path: [file(3)],
    'a folder': lambda path: [file(str(Path(path).parent))],
    "the server's own file": lambda path: [file('/etc/passwd')],
    'the same, unmarked': lambda path: [{'path': '/etc/passwd'}],
    'the same, as a stream': lambda path: [file('/etc/passwd', is_stream=True)],
    'a way out': lambda path: [file(path + '/../../../../etc/passwd')],
    'an address': lambda path: [file('http://127.0.0.1:1/seven.png')],
    'a data URL': lambda path: [file(None, url='data:image/png;base64,AAAA')],
    'a null byte': lambda path: [file('a\0b')],
}
RAW = {
    'no body': b'',
    'broken JSON': b'{',
    'not UTF-8': b'\xff\xfe',
    'JSON null': b'null',
    'data of a wrong type': b'{"data": 3}',
    'NaN': b'{"data": [NaN]}',
    'nested 900 deep': nested(900),
    'nested 100,000 deep': nested(100_000),
}


# ---- a visitor


@pytest.fixture
def open_demo(visit, demo):
    "A function that opens the demo; in the end nothing may have complained."

    def open_page(**look):
        page = visit(demo, known='413', until='load', **look)
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


def clear(page):
    page.get_by_label('Clear canvas').click()


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
    page = open_demo(viewport={'width': 1200, 'height': 800})
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
    page = open_demo(color_scheme='dark', viewport={'width': 1200, 'height': 800})
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


def test_upload(open_demo, paths, shoot):
    page = open_demo(viewport={'width': 1200, 'height': 800})
    page.get_by_role('tab', name='Send a picture').click()
    chosen = page.locator('#image input[type=file]')
    for name, words, note in (
        ('photo', SEVEN, ''),
        ('corrupt', NO_ANSWER, 'cannot be read as an image'),
        ('blank', NO_ANSWER, 'There is no ink'),
        ('html', NO_ANSWER, 'cannot be read as an image'),
        ('three', THREE, ''),
    ):
        page.wait_for_timeout(500)
        chosen.set_input_files(paths[name])
        reads(page, words, note)
        if name == 'corrupt': shoot(page, 'refused')
        page.locator('#image').get_by_label('Remove Image').click()
        reads(page, WAITING)
    page.wait_for_timeout(500)
    chosen.set_input_files(paths['huge'])
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


def question(path): return json.dumps({'data': [file(path)]}).encode()


@pytest.mark.parametrize('name, digit', (('three', 3), ('seven', 7), ('photo', 7)))
def test_client(demo, paths, name, digit):
    client = Client(demo, verbose=False)
    sent = handle_file(paths[name])
    reply = client.predict(sent, api_name='/predict')
    assert (reply['digit'], reply['in_scope']) == (digit, True)
    assert reply['words'] == f'This is a {digit}.'
    assert client.predict(drawing(sent), api_name='/predict_drawing') == reply
    assert ask(demo, question(upload(demo, paths[name].read_bytes()))) == reply


@pytest.mark.parametrize('name, sentence', (
    ('blank', 'There is no ink'), ('corrupt', 'cannot be read as an image')
))
def test_client_is_refused(demo, paths, name, sentence):
    with pytest.raises(AppError, match=sentence):
        client = Client(demo, verbose=False)
        client.predict(handle_file(paths[name]), api_name='/predict')


def is_refused(address, body, name='predict'):
    "Check that the reply is a sentence, comes soon, and tells nothing of the server."
    began = time.monotonic()
    reply = ask(address, body, name)
    assert isinstance(reply, str) and len(reply) > 20
    assert 'Traceback' not in reply and '/etc' not in reply
    assert time.monotonic() - began < 2*PATIENCE


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_file(demo, paths, name):
    data = HOSTILE[name](paths['three'].read_bytes())
    for ending in ('png', 'svg') if len(data) < 1000 else ('png',):
        is_refused(demo, question(upload(demo, data, f'digit.{ending}')))


@pytest.mark.parametrize('name', [*MALFORMED, *RAW])
def test_malformed_request(demo, paths, name):
    path = upload(demo, paths['three'].read_bytes())
    body = RAW.get(name)
    if name in MALFORMED:
        body = json.dumps({'data': MALFORMED[name](path)}).encode()
    is_refused(demo, body)
    if name != 'a list':  # to Gradio that is a drawing
        is_refused(demo, body, 'predict_drawing')


def test_unknown_name(demo):
    is_refused(demo, question('x'), 'no_such_name')


@pytest.mark.parametrize('clients', (50, 200))  # 200 are more than fit in the queue
def test_crowd(demo, paths, clients):
    "Each of many at once is answered rightly, or told that the page is busy."
    sent = [('three', 3), ('seven', 7), ('photo', 7)]

    def one(i):
        name, digit = sent[i % len(sent)]
        reply = ask(demo, question(upload(demo, paths[name].read_bytes())))
        if isinstance(reply, str) and reply.startswith('Busy'): return 'busy'
        right = isinstance(reply, dict) and reply['digit'] == digit
        return 'right' if right else f'wrong: {reply}'

    with ThreadPoolExecutor(clients) as pool:
        count = Counter(pool.map(one, range(clients)))
    assert set(count) <= {'right', 'busy'} and count['right']
    assert one(0) == 'right'  # after the crowd it answers
