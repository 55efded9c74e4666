"""Drive Firefox by WebDriver BiDi, where Debian's firefox-esr is installed."""

import json
import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from itertools import count

from helpers import PATIENCE
from websockets.sync.client import connect

PATH = shutil.which('firefox-esr') or shutil.which('firefox')
BARE = 'user_pref("webgl.disabled", true);\n'  # as on a machine without a graphics card


class Firefox:
    "One page in Firefox, without WebGL."

    def __init__(self, profile):
        (profile/'user.js').write_text(BARE)
        command = [PATH, '--headless', '--remote-debugging-port', '0']
        command += ['--profile', profile]
        pipe = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.process, self.numbers = subprocess.Popen(command, **pipe), count()
        lines = iter(self.process.stderr.readline, '')
        address = next(filter(None, (re.search(r'ws://\S+', line) for line in lines)))
        self.stack = ExitStack()
        connection = connect(address[0] + '/session', max_size=None)
        self.socket = self.stack.enter_context(connection)
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
        self.ask('browsingContext.navigate', context=self.context, url=url,
                 wait='complete')

    def evaluate(self, script):
        "The value of an expression in the page: a string, a number or a truth value."
        target = {'context': self.context}
        found = self.ask('script.evaluate', expression=script, target=target,
                         awaitPromise=True)
        assert found['type'] == 'success', found
        return found['result'].get('value')

    def until(self, script, seconds=20):
        "Wait until an expression in the page is true."
        end = time.monotonic() + seconds*PATIENCE
        while not self.evaluate(script):
            assert time.monotonic() < end, f'never: {script}'
            time.sleep(.1)

    def draw(self, strokes):
        "Draw with the mouse; each stroke is a list of places on the page."
        for start, *way in strokes:
            moves = [dict(type='pointerMove', x=round(x), y=round(y), duration=20)
                     for x, y in (start, *way)]
            actions = [moves[0], {'type': 'pointerDown', 'button': 0}, *moves[1:],
                       {'type': 'pointerUp', 'button': 0}]
            source = {'type': 'pointer', 'id': 'mouse', 'actions': actions}
            self.ask('input.performActions', context=self.context, actions=[source])

    def close(self):
        self.stack.close()
        self.process.terminate()
        self.process.wait()
