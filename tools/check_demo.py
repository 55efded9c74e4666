"""Use the demo as a visitor and as a program would, and fail if it answers wrongly, loses a request or asks the web for anything.

    python tools/check_demo.py [--screenshots FOLDER]

Starts app.py, then draws, touches, uploads and presses keys in Debian's Chromium through Playwright, calls the API through gradio_client, curl
and plain HTTP, sends it what no one should, and lets fifty clients ask at once.
"""
import argparse
import io
import json
import os
import shutil
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
from contextlib import contextmanager
from math import cos, radians, sin
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
from browser import launch
from check_site import AXE, AXE_RUN
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from mnist_nbdev.data import load_sample
from mnist_nbdev.read import MAX_BYTES

ROOT = Path(__file__).parents[1]
WIDE, PHONE = {'width': 1200, 'height': 800}, {'width': 390, 'height': 844}
NEITHER = 'This does not look like a 3 or a 7.'
SECONDS = 2  # for a refusal, at most
HARMLESS = ('RuntimeError: Response content longer than Content-Length',  # Gradio's sheet sends its file again while the browser still reads it, and asks again
            'starlette.requests.ClientDisconnect')  # a visitor left in the middle of an upload


@contextmanager
def running_app():
    "The address of app.py, running on a free port; fails if it prints a traceback."
    with socket.socket() as probe: probe.bind(('127.0.0.1', 0)); port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as said:
        app = subprocess.Popen([sys.executable, 'app.py'], cwd=ROOT, env=os.environ | {'GRADIO_SERVER_PORT': str(port)}, stdout=subprocess.DEVNULL, stderr=said)
        try:
            address, deadline = f'http://127.0.0.1:{port}/', time.monotonic() + 120
            while True:
                try: urlopen(address); break
                except URLError:
                    if app.poll() is not None or time.monotonic() > deadline: raise SystemExit('app.py did not start')
                    time.sleep(.3)
            yield address
        finally: app.terminate(); app.wait()
        said.seek(0)
        text = said.read().decode()
        tracebacks = [part for part in text.split('Traceback (most recent call last):')[1:] if not any(harmless in part for harmless in HARMLESS)]
        if tracebacks: raise SystemExit(f'the server printed a traceback:\n{tracebacks[0][:3000]}')


# ---- what is sent

def saved(image, format='PNG', **options):
    "The bytes of an image file."
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def on_paper(x, size=(500, 400), at=(40, 120)):
    "A digit that no model saw, drawn large and dark on white."
    digit = Image.fromarray((255*(1 - x.reshape(28, 28))).byte().numpy()).resize((200, 200), Image.Resampling.BICUBIC)
    page = Image.new('RGB', size, 'white')
    page.paste(digit, at)
    return page


def as_photo(page):
    "The page as a phone sees it: tilted, in uneven light, with grain, as a JPEG."
    a = np.asarray(page.resize((1200, 960)).rotate(7, Image.Resampling.BICUBIC, fillcolor='white'), float)
    light = np.linspace(.55, .95, a.shape[1])[:, None]*np.array([1, .95, .85])
    return saved(Image.fromarray((a*light + np.random.default_rng(0).normal(0, 5, a.shape)).clip(0, 255).astype(np.uint8)), 'JPEG', quality=80)


def header(width, height):
    "A PNG that says that it is so large, and holds next to nothing."
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b'')


def zipped(data):
    "A zip file."
    with zipfile.ZipFile(buffer := io.BytesIO(), 'w') as z: z.writestr('digit.png', data)
    return buffer.getvalue()


def hostile(good):
    "Files that no one should send, by what they are."
    frames = [Image.new('L', (300, 300), 255 - i % 2) for i in range(300)]
    return {'a truncated file': good[:len(good)//2], 'a header alone': good[:30], 'a damaged file': good[:60] + bytes(40) + good[100:], 'nothing': b'', 'zeros': bytes(1000),
            'text': b'I am a seven.', 'an SVG': b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(3)</script></svg>', 'HTML': b'<html><script>alert(7)</script></html>', 'a zip': zipped(good),
            'one pixel': saved(Image.new('L', (1, 1))), '1x10,000': saved(Image.new('L', (1, 10_000), 255)), '10,000x1': saved(Image.new('L', (10_000, 1), 255)), 'a blank sheet': saved(Image.new('L', (100, 100), 255)),
            'a bomb of 6,000x6,000': saved(Image.new('1', (6000, 6000))), 'a bomb of 20,000x20,000': header(20_000, 20_000), 'the largest header': header(2**31 - 1, 2**31 - 1),
            'a GIF of 300 frames': saved(frames[0], 'GIF', save_all=True, append_images=frames[1:])}


def malformed(path):
    "Requests that no client should make, by what they are; `path` is that of an uploaded file."
    file = lambda path, **more: {'path': path, 'meta': {'_type': 'gradio.FileData'}} | more
    deep = lambda n: b'{"data":[' + b'['*n + b']'*n + b']}'
    data = {'nothing': [], 'null': [None], 'a number': [3], 'a string': [path], 'a list': [[file(path)]], 'no path': [file(None)], 'a number as path': [file(3)], 'a folder': [file(str(Path(path).parent))],
            "the server's own file": [file('/etc/passwd')], 'the same, unmarked': [{'path': '/etc/passwd'}], 'the same, as a stream': [file('/etc/passwd', is_stream=True)], 'a way out': [file(path + '/../../../../etc/passwd')],
            'an address': [file('http://127.0.0.1:1/seven.png')], 'a data URL': [file(None, url='data:image/png;base64,AAAA')], 'a drawing': [{'background': None, 'layers': [], 'composite': file(path)}], 'a null byte': [file('a\0b')]}
    raw = {'no body': b'', 'broken JSON': b'{', 'not UTF-8': b'\xff\xfe', 'JSON null': b'null', 'data of a wrong type': b'{"data": 3}', 'NaN': b'{"data": [NaN]}', 'nested 900 deep': deep(900), 'nested 100,000 deep': deep(100_000)}
    return {name: json.dumps({'data': value}).encode() for name, value in data.items()} | raw


# ---- a visitor

def arc(x, y, r, start, stop): return [(x + r*cos(radians(a)), y + r*sin(radians(a))) for a in range(start, stop + 1, 30)]


STROKES = {  # of a pen, from -1 to 1 in both directions
    '3': [arc(0, -.45, .43, -150, 90) + arc(0, .45, .48, -90, 150)],
    '7': [[(-.5, -.85), (.5, -.85), (.2, -.1), (-.15, .9)]],
    '5': [[(-.35, -.85), (-.42, -.12)] + arc(-.05, .38, .55, -120, 150), [(-.35, -.85), (.5, -.85)]]}


def sheet(page):
    "What turns a place on the pen's scale into one on the page."
    page.wait_for_timeout(700)  # until the canvas is laid out
    box = page.locator('#pad canvas').first.bounding_box()
    size = .33*min(box['width'], box['height'])
    return lambda x, y: (box['x'] + box['width']/2 + size*x, box['y'] + box['height']/2 + size*y)


def draw(page, digit):
    "Draw with the mouse."
    place = sheet(page)
    for start, *way in STROKES[digit]:
        page.mouse.move(*place(*start)); page.mouse.down()
        for point in way: page.mouse.move(*place(*point))
        page.mouse.up()


def touch(page, digit):
    "Draw with a finger."
    place, device = sheet(page), page.context.new_cdp_session(page)
    send = lambda kind, *points: device.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': [dict(zip('xy', place(*p))) for p in points]})
    for start, *way in STROKES[digit]:
        send('touchStart', start)
        for point in way: send('touchMove', point)
        send('touchEnd')


def keyboard(page):
    "Walk to the first example with the Tab key alone, and press Enter; what the walk came by."
    names = []
    for _ in range(40):
        page.keyboard.press('Tab')
        focused = page.evaluate("(e => [e.className, e.ariaLabel || e.innerText || e.tagName, getComputedStyle(e).outlineStyle])(document.activeElement)")
        names.append(focused[1])
        assert focused[2] != 'none', f'nothing shows that {focused[1]!r} has the focus'
        if 'gallery-item' in focused[0]: page.keyboard.press('Enter'); return names
    raise SystemExit(f'the Tab key does not reach the examples, only {names}')


class Visitor:
    "A browser at the demo, that notes whatever goes wrong, and takes pictures."
    def __init__(self, browser, address, shots): self.browser, self.address, self.shots, self.faults = browser, address, shots, []

    def open(self, size=WIDE, **context):
        "A page, freshly loaded."
        for old in self.browser.contexts: old.close()
        page = self.browser.new_context(viewport=size, reduced_motion='reduce', **context).new_page()
        page.on('request', lambda r: r.url.startswith((self.address, 'data:', 'blob:')) or self.faults.append(f'a request to {r.url}'))
        page.on('pageerror', lambda e: self.faults.append(f'script: {e}'))
        page.on('console', lambda m: self.faults.append(f'console: {m.text}') if m.type == 'error' and '413' not in m.text else None)
        page.goto(self.address)
        expect(page.locator('#pad canvas').first).to_be_visible()
        return page

    def read(self, page, words, note=''):
        "Check what the visitor reads, and that it fits and suits everyone."
        expect(page.locator('#words h2')).to_have_text(words)
        expect(page.locator('#words p')).to_contain_text(note)
        if page.evaluate('document.documentElement.scrollWidth > innerWidth'): self.faults.append(f'{words} the page scrolls sideways')

    def audit(self, page):
        page.evaluate(AXE)
        self.faults += [f'axe: {found}' for found in page.evaluate(AXE_RUN)]

    def shoot(self, page, name, height=None):
        "Save a picture of the page, or of the top of it, in few colours."
        if not self.shots: return
        page.wait_for_timeout(800)
        page.mouse.move(0, 0)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert('RGB')
        picture.crop((0, 0, picture.width, height or picture.height)).quantize(dither=Image.Dither.NONE).save(self.shots/f'{name}.png', optimize=True)


def check_browser(address, paths, shots):
    "What a visitor sees, with a mouse, a finger, files and keys, in light and dark, on a desk and on a phone."
    with sync_playwright() as playwright:
        browser = launch(playwright)
        visitor = Visitor(browser, address, shots)
        page = visitor.open()
        visitor.audit(page)
        for digit, words, note in (('3', 'This is a 3.', 'The 785 numbers'), ('7', 'This is a 7.', 'The 785 numbers'), ('5', NEITHER, 'The 785 numbers cannot say so')):
            draw(page, digit)
            visitor.read(page, words, note)
            expect(page.locator('#line')).to_contain_text('%')
            expect(page.locator('#cnn h2')).to_have_text('neither' if words == NEITHER else digit)
            for name in ('#why-line', '#why-cnn', '#seen'): expect(page.locator(f'{name} img')).to_be_visible()
            print(f'drew a {digit} with the mouse, read "{page.locator("#words").inner_text().replace(chr(10), " ")}"')
            if digit == '3': visitor.shoot(page, 'light')
            page.get_by_label('Clear canvas').click()
            visitor.read(page, 'Draw a 3 or a 7.')
        page = visitor.open(PHONE, color_scheme='light', has_touch=True, is_mobile=True)
        for digit, words in (('5', NEITHER), ('7', 'This is a 7.')):
            touch(page, digit)
            visitor.read(page, words)
            if digit == '5': visitor.shoot(page, 'phone', 1280)
            print(f'drew a {digit} with a finger on a phone, read "{words}"')
            page.get_by_label('Clear canvas').click()
            visitor.read(page, 'Draw a 3 or a 7.')
        for wait in (0, 150, 400, 800):  # in a hurry: cleared before the answer comes, or just then
            touch(page, '5')
            page.wait_for_timeout(wait)
            page.get_by_label('Clear canvas').click()
            page.wait_for_timeout(2500)
            visitor.read(page, 'Draw a 3 or a 7.')
        visitor.audit(page)
        page = visitor.open(color_scheme='dark')
        page.get_by_label('barred seven').click()
        visitor.read(page, 'This is a 7.', 'The 785 numbers do not agree: probably a 3.')
        assert sum(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")) < 150, 'the dark page is light'
        visitor.audit(page)
        visitor.shoot(page, 'dark')
        print('clicked the barred seven in the dark, read that the models disagree')
        page = visitor.open()
        keys = keyboard(page)
        visitor.read(page, 'This is a 3.')
        assert {'Draw', 'Send a picture', 'Clear canvas'} <= set(keys), keys
        print(f'pressed Tab {len(keys)} times and Enter, read "This is a 3."')
        for name, words, note in (('photo', 'This is a 7.', ''), ('corrupt', 'No answer.', 'cannot be read as an image'), ('blank', 'No answer.', 'There is no ink'), ('html', 'No answer.', 'cannot be read as an image'), ('three', 'This is a 3.', '')):
            page.wait_for_timeout(500)
            page.locator('#image input[type=file]').set_input_files(paths[name])
            visitor.read(page, words, note)
            print(f'uploaded {paths[name].name}, read "{page.locator("#words").inner_text().replace(chr(10), " ")[:90]}"')
            if name == 'corrupt': visitor.shoot(page, 'refused')
            page.locator('#image').get_by_label('Remove Image').click()
            visitor.read(page, 'Draw a 3 or a 7.')
        page.wait_for_timeout(500)
        page.locator('#image input[type=file]').set_input_files(paths['huge'])
        expect(page.locator('.toast-body')).to_contain_text('exceed')
        print(f'uploaded {paths["huge"].name}, read "{page.locator(".toast-body").inner_text().splitlines()[-1]}"')
        browser.close()
    if visitor.faults: raise SystemExit('\n'.join(['faults of the page:', *dict.fromkeys(visitor.faults)]))


# ---- a program

def post(address, path, body, kind='application/json'):
    "The status and text of an HTTP reply."
    try:
        with urlopen(Request(f'{address}gradio_api/{path}', body, {'Content-Type': kind}), timeout=60) as reply: return reply.status, reply.read().decode()
    except HTTPError as error: return error.code, error.read().decode()


def upload(address, data, name='digit.png'):
    "The path that an uploaded file has on the server."
    form = b'--edge\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n\r\n' + data + b'\r\n--edge--\r\n'
    status, text = post(address, 'upload', form, 'multipart/form-data; boundary=edge')
    if status != 200: raise SystemExit(f'an upload was refused: {status} {text}')
    return json.loads(text)[0]


def ask(address, body, name='predict'):
    "The answer of the API, or the sentence that it gives instead."
    status, text = post(address, f'call/{name}', body)
    if status != 200: return json.loads(text)['detail']
    with urlopen(f'{address}gradio_api/call/{name}/{json.loads(text)["event_id"]}', timeout=60) as reply: event, data = reply.read().decode().split('\ndata: ')[-2:]
    reply = json.loads(data)
    return reply[0] if event.endswith('complete') else reply['error']


def question(path): return json.dumps({'data': [{'path': path, 'meta': {'_type': 'gradio.FileData'}}]}).encode()


def check_api(address, paths):
    "What a program gets, through gradio_client and through curl."
    client = Client(address, verbose=False)
    for name, digit in (('three', 3), ('seven', 7), ('photo', 7)):
        reply = client.predict(handle_file(paths[name]), api_name='/predict')
        assert (reply['digit'], reply['in_scope'], reply['words']) == (digit, True, f'This is a {digit}.'), reply
        drawing = {'background': None, 'layers': [], 'composite': handle_file(paths[name])}
        assert client.predict(drawing, api_name='/predict_drawing') == reply
    print('gradio_client:', reply)
    for name, sentence in (('blank', 'There is no ink'), ('corrupt', 'cannot be read as an image')):
        try: raise SystemExit(f'the API answered {client.predict(handle_file(paths[name]), api_name="/predict")} to {name}')
        except AppError as error: assert sentence in str(error), error
    if shutil.which('curl'):
        curl = lambda *args: subprocess.run(['curl', '-sS', *args], check=True, capture_output=True, text=True).stdout
        path = json.loads(curl(f'{address}gradio_api/upload', '-F', f'files=@{paths["three"]}'))[0]
        event = json.loads(curl(f'{address}gradio_api/call/predict', '-H', 'Content-Type: application/json', '-d', question(path).decode()))['event_id']
        assert '"digit": 3' in curl('-N', f'{address}gradio_api/call/predict/{event}')
        print('curl: the same')


def check_hostile(address, good):
    "Whatever is sent: a sentence, soon, that tells nothing about the server."
    slowest = 0
    def refused(name, began, reply):
        nonlocal slowest
        seconds = time.monotonic() - began
        slowest = max(slowest, seconds)
        if not (isinstance(reply, str) and len(reply) > 20 and 'Traceback' not in reply and '/etc' not in reply): raise SystemExit(f'the reply to {name} was {reply!r}')
        if seconds > SECONDS: raise SystemExit(f'the reply to {name} took {seconds:.1f} s')
    files = hostile(good)
    for name, data in files.items():
        for ending in ('png', 'svg') if len(data) < 1000 else ('png',):
            began = time.monotonic()
            refused(name, began, ask(address, question(upload(address, data, f'digit.{ending}'))))
    requests = malformed(upload(address, good))
    for name, body in requests.items():
        if name != 'a drawing': refused(name, time.monotonic(), ask(address, body))
        if name not in ('a drawing', 'a list'): refused(name, time.monotonic(), ask(address, body, 'predict_drawing'))
    refused('an unknown name', time.monotonic(), ask(address, question('x'), 'no_such_name'))
    print(f'{len(files)} hostile files and {len(requests)} malformed requests: a sentence for each, the slowest after {slowest:.2f} s')


def check_crowd(address, files, clients=50, more=200):
    "Fifty clients at once: each is answered rightly, or told that the page is busy. Then more than fit in the queue."
    def one(i):
        digit, data = files[i % len(files)]
        began, reply = time.monotonic(), ask(address, question(upload(address, data)))
        return 'busy' if isinstance(reply, str) and reply.startswith('Busy') else 'right' if isinstance(reply, dict) and reply['digit'] == digit else f'wrong: {reply}', time.monotonic() - began
    for n in (clients, more):
        with ThreadPoolExecutor(n) as pool: replies = list(pool.map(one, range(n)))
        count = Counter(what for what, _ in replies)
        print(f'{n} clients at once: {dict(count)}, the last after {max(seconds for _, seconds in replies):.1f} s')
        assert set(count) <= {'right', 'busy'} and count['right'], count
    assert one(0)[0] == 'right', 'after the crowd it does not answer'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--screenshots', type=Path, help='write pictures of the page to this folder')
    args = parser.parse_args()
    if args.screenshots: args.screenshots.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=20_000)
    began, x = time.monotonic(), load_sample().valid_x
    three, seven = on_paper(x[100]), on_paper(x[1200])
    files = {'three.png': saved(three), 'seven.png': saved(seven), 'photo.jpg': as_photo(seven), 'blank.png': saved(Image.new('L', (100, 100), 255)),
             'corrupt.png': saved(three)[:200], 'html.png': b'<html></html>', 'huge.png': bytes(MAX_BYTES + 1000)}
    with tempfile.TemporaryDirectory() as tmp, running_app() as address:
        paths = {name.split('.')[0]: Path(tmp)/name for name in files}
        for name, data in files.items(): (Path(tmp)/name).write_bytes(data)
        check_browser(address, paths, args.screenshots)
        check_api(address, paths)
        check_hostile(address, files['three.png'])
        check_crowd(address, [(3, files['three.png']), (7, files['seven.png']), (7, files['photo.jpg'])])
    print(f'{time.monotonic() - began:.0f} s')
