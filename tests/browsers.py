"""Drive Firefox by WebDriver BiDi, and WebKit by WebDriver, where Debian's are."""

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack, suppress
from itertools import count
from urllib.request import Request, urlopen

from helpers import PATIENCE
from servers import free_port, wait_for
from websockets.sync.client import connect

BARE = 'user_pref("webgl.disabled", true);\n'  # as on a machine without a graphics card


class Browser:
    "One page in a browser; what differs between browsers is in its subclasses."

    def __init__(self): self.stack = ExitStack()

    def close(self): self.stack.close()

    def start(self, *command, **more):
        "Start a program, which ends with this browser."
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        process = subprocess.Popen(command, **quiet | more)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        return process

    def until(self, script, seconds=20):
        "Wait until an expression in the page is true."
        wait_for(lambda: self.evaluate(script), seconds, f'never: {script}')

    def press(self, element):
        "Press a button, named by a selector."
        self.evaluate(f'document.querySelector({json.dumps(element)}).click()')

    def says(self, element, words):
        "Wait until an element's words contain some."
        text = f'document.querySelector({json.dumps(element)})?.textContent'
        self.until(f'!!{text}?.includes({json.dumps(words)})')

    def draw(self, pad, strokes):
        "Draw with the mouse on a pad; a stroke is a list of places, in its shares."
        at = f'document.querySelector({json.dumps(pad)})'
        self.evaluate(f"{at}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        area = self.evaluate(f'{at}.getBoundingClientRect().toJSON()')
        left, top, side = area['left'], area['top'], area['width']
        for stroke in strokes:
            moves = [
                dict(type='pointerMove', duration=20,
                     x=round(left + x*side), y=round(top + y*side))
                for x, y in stroke
            ]
            down = {'type': 'pointerDown', 'button': 0}
            up = {'type': 'pointerUp', 'button': 0}
            actions = [moves[0], down, *moves[1:], up]
            self.act([{'type': 'pointer', 'id': 'mouse', 'actions': actions}])


class Firefox(Browser):
    "Firefox, without WebGL."

    package = 'firefox-esr'
    path = shutil.which('firefox-esr') or shutil.which('firefox')

    def __init__(self, profile):
        super().__init__()
        (profile/'user.js').write_text(BARE)
        command = [self.path, '--headless', '--remote-debugging-port', '0']
        process = self.start(*command, '--profile', profile, stderr=subprocess.PIPE)
        lines = iter(process.stderr.readline, '')
        address = next(filter(None, (re.search(r'ws://\S+', line) for line in lines)))
        connection = connect(address[0] + '/session', max_size=None)
        self.numbers, self.socket = count(), self.stack.enter_context(connection)
        self.ask('session.new', capabilities={})
        tree = self.ask('browsingContext.getTree')
        self.context = tree['contexts'][0]['context']

    def ask(self, method, **params):
        "Send a command, and wait for its result."
        number = next(self.numbers)
        message = {'id': number, 'method': method, 'params': params}
        self.socket.send(json.dumps(message))
        while True:
            reply = json.loads(self.socket.recv(timeout=60*PATIENCE))
            if reply.get('id') != number: continue
            assert reply['type'] == 'success', reply
            return reply['result']

    def open(self, url):
        where = dict(context=self.context, url=url)
        self.ask('browsingContext.navigate', **where, wait='complete')

    def evaluate(self, script):
        "The value of an expression in the page, by way of JSON."
        where = dict(target={'context': self.context}, awaitPromise=True)
        script = f'Promise.resolve({script}).then(v => JSON.stringify(v ?? null))'
        found = self.ask('script.evaluate', expression=script, **where)
        assert found['type'] == 'success', found
        return json.loads(found['result']['value'])

    def act(self, actions):
        self.ask('input.performActions', context=self.context, actions=actions)


class WebKit(Browser):
    "WebKit (GTK), on a screen that nobody sees."

    package = 'webkit2gtk-driver, xvfb'
    path = shutil.which('WebKitWebDriver') and shutil.which('Xvfb')

    def __init__(self, profile):
        super().__init__()
        screen = '-displayfd 1 -screen 0 1280x900x24 -nolisten tcp'.split()
        display = self.start(self.path, *screen, stdout=subprocess.PIPE)
        env = os.environ | {
            'DISPLAY': ':' + display.stdout.readline().strip(),
            'HOME': str(profile),
            'WEBKIT_DISABLE_DMABUF_RENDERER': '1',
        }
        self.address = f'http://127.0.0.1:{self.driver(env)}/session'
        session = self.ask('POST', '', capabilities={'alwaysMatch': {}})
        self.address += f'/{session["sessionId"]}'
        self.stack.callback(self.ask, 'DELETE', '')

    def driver(self, env):
        "Start WebKit's driver; the port that it listens on."
        port = free_port()
        self.start('WebKitWebDriver', f'--port={port}', env=env)

        def listens():
            with suppress(OSError), socket.create_connection(('127.0.0.1', port)):
                return True

        wait_for(listens, 20, 'WebKitWebDriver does not listen')
        return port

    def ask(self, method, path, **body):
        "Send a command, and wait for its result."
        data = json.dumps(body).encode() if method == 'POST' else None
        request = Request(self.address + path, data, method=method)
        with urlopen(request, timeout=60*PATIENCE) as reply:
            return json.loads(reply.read())['value']

    def open(self, url): self.ask('POST', '/url', url=url)

    def evaluate(self, script):
        "The value of an expression in the page."
        script = f'const end = arguments[0]; Promise.resolve({script}).then(end)'
        return self.ask('POST', '/execute/async', script=script, args=[])

    def act(self, actions): self.ask('POST', '/actions', actions=actions)


BROWSERS = Firefox, WebKit
