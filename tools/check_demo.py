"""Use the demo as a visitor and as a program would, and fail if it answers wrongly or asks the web for anything.

    python tools/check_demo.py [--screenshots FOLDER]

Starts app.py, then drives it in Debian's Chromium through Playwright, and through gradio_client.
"""
import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from browser import launch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from mnist_nbdev.data import load_sample
from mnist_nbdev.predict import MAX_BYTES

ROOT = Path(__file__).parents[1]


@contextmanager
def running_app():
    "The address of app.py, running on a free port."
    with socket.socket() as probe: probe.bind(('127.0.0.1', 0)); port = probe.getsockname()[1]
    app = subprocess.Popen([sys.executable, 'app.py'], cwd=ROOT, env=os.environ | {'GRADIO_SERVER_PORT': str(port)}, stdout=subprocess.DEVNULL)
    try:
        address, deadline = f'http://127.0.0.1:{port}/', time.monotonic() + 120
        while True:
            try: urlopen(address); break
            except URLError:
                if app.poll() is not None or time.monotonic() > deadline: raise SystemExit('app.py did not start')
                time.sleep(.3)
        yield address
    finally: app.terminate(); app.wait()


def write_images(folder):
    "A three and a seven that no model saw, drawn large and dark on white; a blank page; a corrupt file; one too large."
    s, paths = load_sample(), {name: folder/f'{name}.png' for name in ('three', 'seven', 'blank', 'corrupt', 'huge')}
    for name, x in (('three', s.valid_x[100]), ('seven', s.valid_x[1200])):
        digit = Image.fromarray((255*(1 - x.reshape(28, 28))).byte().numpy()).resize((200, 200), Image.Resampling.BICUBIC)
        page = Image.new('RGB', (500, 400), 'white'); page.paste(digit, (40, 120)); page.save(paths[name])
    Image.new('L', (100, 100), 255).save(paths['blank'])
    paths['corrupt'].write_bytes(paths['three'].read_bytes()[:200])
    paths['huge'].write_bytes(bytes(MAX_BYTES + 1000))
    return paths


def check_browser(address, paths, shots):
    "What a visitor sees: an answer for each digit, a sentence for each fault, and no request to anywhere else."
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={'width': 1200, 'height': 900})
        outside, errors = [], []
        page.on('request', lambda r: r.url.startswith((address, 'data:', 'blob:')) or outside.append(r.url))
        page.on('pageerror', lambda e: errors.append(str(e)))

        def upload(name):
            page.goto(address)
            page.locator('#image input[type=file]').set_input_files(paths[name])
        for name, digit in (('three', '3'), ('seven', '7')):
            upload(name)
            expect(page.locator('#answer h2')).to_have_text(digit)
            expect(page.locator('#answer')).to_contain_text('%')
            if shots: page.screenshot(path=shots/f'demo-{name}.png')
            print(f'browser: uploaded a {name}, read {digit}')
        for name, sentence in (('blank', 'There is no ink'), ('corrupt', 'cannot be read as an image'), ('huge', 'exceed')):
            upload(name)
            expect(page.locator('.toast-body')).to_contain_text(sentence)
            if shots: page.screenshot(path=shots/f'demo-{name}.png')
            print(f'browser: uploaded {name}, read "{page.locator(".toast-body").inner_text().splitlines()[-1]}"')
        page.goto(address)
        page.locator('.gallery-item, button.gallery').first.click()
        expect(page.locator('#answer h2')).to_have_text('3')
        print('browser: clicked the first example, read 3')
        if shots:
            page.set_viewport_size({'width': 390, 'height': 800}); page.emulate_media(color_scheme='dark'); page.goto(address); page.wait_for_timeout(1500)
            page.screenshot(path=shots/'demo-phone-dark.png')
        assert not outside, f'requests to other hosts: {outside}'
        assert not errors, f'errors in the page: {errors}'
        browser.close()


def check_api(address, paths):
    "What a program gets from `api_name='predict'`."
    client = Client(address, verbose=False)
    for name, digit in (('three', '3'), ('seven', '7')):
        answer = client.predict(handle_file(paths[name]), api_name='/predict')
        assert answer['label'] == digit, answer
        print(f'API: sent a {name}, got {digit}')
    for name, sentence in (('blank', 'There is no ink'), ('corrupt', 'cannot be read as an image')):
        try: raise SystemExit(f'the API answered {client.predict(handle_file(paths[name]), api_name="/predict")} to {name}')
        except AppError as error: assert sentence in str(error), error
        print(f'API: sent {name}, got "{sentence}…"')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--screenshots', type=Path, help='write pictures of the page to this folder')
    args = parser.parse_args()
    if args.screenshots: args.screenshots.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=20_000)
    with tempfile.TemporaryDirectory() as tmp, running_app() as address:
        paths = write_images(Path(tmp))
        check_browser(address, paths, args.screenshots)
        check_api(address, paths)
