"""Drive "Train it here" (nbs/widgets/train.js)."""
import json
import zlib
from pathlib import Path

import numpy as np
import torch

from mnist_nbdev.linear import Linear, bce_loss, mnist_loss
from mnist_nbdev.train import batches, train_epoch, validate

PAGE = 'train.html'
WIDGETS = Path(__file__).resolve().parents[2]/'nbs'/'widgets'
GOAL, LOSSES = 6, {'mean': mnist_loss, 'bce': bce_loss}
ERRORS = 'root.run.curve.at(-1).errors'


def ask(page, script):
    "What the widget knows; the script sees it as `root`."
    return page.evaluate(f'() => {{ const root = document.querySelector(".widget"); return {script}; }}')


def until(page, script, seconds=8):
    "Wait for it."
    page.wait_for_function(f'() => {{ const root = document.querySelector(".widget"); return {script}; }}', timeout=1000*seconds)


def visit(page, query=''):
    "Open the page with this in its address; gives the widget, restored."
    page.goto(page.url.partition('?')[0].partition('#')[0] + query, wait_until='load')
    page.locator('.widget[data-ready]').wait_for()
    box = page.locator('.widget')
    until(page, 'root.run && root.querySelector("[aria-live]").textContent')
    return box


def curve(page): return ask(page, 'root.run.curve.map(({batch, loss, errors}) => [batch ?? null, loss, errors])')
def words(box): return box.locator('[aria-live]').inner_text()
def press(box, name): box.get_by_role('button', name=name, exact=True).click()


def knob(box, label, key, times=1):
    "Move a slider by keyboard."
    slider = box.get_by_role('slider', name=label)
    slider.focus()
    for _ in range(times): slider.press(key)


def warm(page, box):
    press(box, 'Play')
    until(page, 'root.run.steps > 150')
    press(box, 'Pause')
    crowd(page, box)
    until(page, 'root.querySelector("[aria-live]").textContent.startsWith("Step")')


def crowd(page, box):
    "Threes are above, in red, and sevens below, in blue: the colour of the ink in either half of the picture."
    pixels = box.locator('[part=crowd]').evaluate("""canvas => [0, .5].map(top => {
      const {data} = canvas.getContext('2d').getImageData(0, top*canvas.height, canvas.width/3, canvas.height/2 - 2), sum = [0, 0, 0];
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) for (const k of [0, 1, 2]) sum[k] += data[i + k];
      return sum; })""")
    (red, _, blue), (red7, _, blue7) = pixels
    assert red > blue and blue7 > red7 and blue7 > 5*blue, pixels  # the left third: few threes, most of the sevens


def drive(page, box):
    page.route('**/favicon.svg', lambda route: route.fulfill(status=204))  # else a page left early leaves a failed request behind
    play(page, box)
    for check in (same_and_other, restore, explode, agree): check(page)


def play(page, box):
    "From the start to 97% in five seconds; pause, step, reset."
    assert '?' not in page.url and ask(page, 'root.run.steps') == 0 and 80 < ask(page, ERRORS) < 130, 'near chance at the start'
    page.evaluate(FRAMES)
    press(box, 'Play')
    until(page, f'root.run.curve.some(({{errors}}) => errors <= {GOAL})', 5)
    reached = next(step for step, (_, _, errors) in enumerate(curve(page)) if errors <= GOAL)
    assert reached <= 300, f'97% only after {reached} steps'
    page.get_by_text(f'97% right after {reached} steps').wait_for()
    assert page.evaluate('written') <= 1, 'no address for every frame'
    press(box, 'Pause')
    frames = np.array(page.evaluate('frames'))
    print(f'train: 97% after {reached} steps; script in {len(frames)} frames: median {np.median(frames):.1f} ms, 95% under {np.percentile(frames, 95):.1f}, most {frames.max():.1f}')
    until(page, 'root.querySelector("[aria-live]").textContent.startsWith("Step")')
    steps = ask(page, 'root.run.steps')
    until(page, f'location.search.includes("step={steps}")')
    assert ask(page, 'root.run.steps') == steps, 'it stands still'
    assert f'Step {steps},' in words(box) and f'{ask(page, ERRORS)} of 200' in words(box)
    press(box, 'Step')
    until(page, f'root.run.steps === {steps + 1} && location.search.includes("step={steps + 1}")')
    press(box, 'Reset')
    until(page, 'root.run.steps === 0 && location.search.includes("step=0")')
    assert len(curve(page)) == 1
    label = box.get_by_role('img').first.get_attribute('aria-label')
    assert label.startswith(f'{ask(page, ERRORS)} of 200'), label


FRAMES = """() => {
  window.frames = []; window.written = 0;
  const replace = history.replaceState.bind(history);
  history.replaceState = (...values) => { window.written++; replace(...values); };
  const ask = requestAnimationFrame;
  window.requestAnimationFrame = paint => ask(now => { const began = performance.now(); paint(now); window.frames.push(performance.now() - began); });
}"""


def same_and_other(page):
    "A seed gives its own curve every time, whether it is watched or comes from the address."
    box = visit(page, '?seed=7&step=30')
    until(page, 'root.run.steps === 30')
    restored = curve(page)
    press(box, 'Reset')
    press(box, 'Play')
    until(page, 'root.run.steps > 30')
    press(box, 'Pause')
    assert curve(page)[:31] == restored
    knob(box, 'Seed', 'ArrowRight')
    until(page, 'root.run.steps === 0 && root.run.start.seed === 8')
    page.evaluate('for (let i = 0; i < 30; i++) document.querySelector(".widget").run.step()')
    other = curve(page)
    assert len(other) == 31 and all(a != b for a, b in zip(restored, other))
    left = page.evaluate('() => { const {run} = document.querySelector(".widget"); run.change("shuffle", ""); run.step(); return run.left.length; }')
    assert left == 800 - 64, 'a new epoch begins where shuffling is switched off'


def restore(page):
    "A run that was changed on the way, by a person, comes back from its address; nonsense does no harm."
    box = visit(page, '?utm=a%20b&bs=16#widget')
    press(box, 'Play')
    until(page, 'root.run.steps > 20')
    knob(box, 'Learning rate', 'ArrowRight', 2)
    until(page, 'root.run.steps > 150')
    box.get_by_role('combobox', name='Loss').select_option('mean')
    until(page, 'root.run.steps > 60')
    knob(box, 'Batch size', 'ArrowLeft')
    box.get_by_role('combobox', name='Shuffle').select_option('')
    press(box, 'Pause')
    press(box, 'Copy link')
    box.get_by_role('button', name='Link copied').wait_for()
    link, seen, settings = page.evaluate('navigator.clipboard.readText()'), curve(page), ask(page, 'root.run.settings')
    assert link == page.url and 'utm=a' in link and link.endswith('#widget') and '-loss-mean' in link, link
    assert settings == {'lr': 1, 'bs': 4, 'loss': 'mean', 'scale': .03, 'seed': 4, 'shuffle': ''}, settings
    page.reload(wait_until='load')
    page.locator('.widget[data-ready]').wait_for()
    until(page, f'root.run.steps === {len(seen) - 1}')
    assert curve(page) == seen and ask(page, 'root.run.settings') == settings and page.url == link
    assert box.get_by_role('slider', name='Learning rate').get_attribute('aria-valuetext') == '1' and box.get_by_role('combobox', name='Shuffle').input_value() == ''
    knob(box, 'Initial scale', 'End')  # this begins again, with the settings of the moment
    until(page, 'root.run.steps === 0 && root.run.start.scale === 3')
    assert ask(page, 'root.run.settings.lr') == 1 and ask(page, 'Object.keys(root.run.changes).length') == 0
    box = visit(page, '?bs=800&step=1e9&lr=1e999&loss=constructor&scale=NaN&seed=4.5&shuffle=maybe&then=9-__proto__-1_x-bs-4_99999-lr-1_3-lr-cat')
    press(box, 'Step')  # the reader need not wait for what the address asks
    until(page, 'root.querySelector("[aria-live]").textContent.startsWith("Step")')
    assert ask(page, 'root.run.steps') < 100
    assert ask(page, 'root.run.start') == {'lr': .1, 'bs': 800, 'loss': 'bce', 'scale': .03, 'seed': 4, 'shuffle': 'yes'}
    assert ask(page, 'Object.values(root.run.changes).flatMap(Object.keys)') == []


def explode(page):
    "Presets begin to play; too long steps make the loss grow, and the page says so; not a number is survived."
    box = page.locator('.widget')
    press(box, 'Too fast')
    box.get_by_text('It has exploded').wait_for()
    losses = [loss for _, loss, _ in curve(page)]
    assert max(losses) > 10*losses[0], losses[:5]
    press(box, 'Documented recipe')
    until(page, 'root.run.steps > 2 && root.run.steps < 100')
    assert ask(page, 'root.run.settings') == {'lr': 1, 'bs': 256, 'loss': 'mean', 'scale': 1, 'seed': 4, 'shuffle': ''}
    assert 'exploded' not in words(box)
    press(box, 'Repaired')
    until(page, f'root.run.start.scale === 0 && {ERRORS} <= {GOAL}')
    press(box, 'Pause')
    page.evaluate('document.querySelector(".widget").run.model.w.fill(NaN)')
    press(box, 'Step')
    box.get_by_text('It has exploded').wait_for()
    press(box, 'Reset')
    until(page, 'root.run.steps === 0 && !root.querySelector("[aria-live]").querySelector("[part=exploded]").offsetParent')


def agree(page):
    "Steps on the page are those of the package, in double precision."
    labels = json.loads((WIDGETS/'digits.json').read_text())
    x = torch.from_numpy(np.frombuffer(zlib.decompress((WIDGETS/'digits.bin').read_bytes()), np.uint8)/255.).reshape(-1, 784)
    y = torch.tensor([[float(label == '3')] for label in labels['labels']], dtype=torch.float64)
    n = labels['train']
    order = torch.argsort(y[:n, 0], descending=True, stable=True)  # threes first
    model_of = lambda values: Linear(torch.tensor(values[0], dtype=torch.float64)[:, None], torch.tensor([values[1]], dtype=torch.float64))
    start = page.evaluate('async () => { const {w, b} = (await import(new URL("widgets/maths.js", document.baseURI))).initLinear(4, 784, .1); return [[...w], b]; }')
    box = visit(page, '?loss=mean&shuffle=&bs=256&lr=0.3&scale=0.1&step=9')
    until(page, 'root.run.steps === 9')
    for name, loss in LOSSES.items():
        if name == 'bce':
            press(box, 'Reset')
            box.get_by_role('combobox', name='Loss').select_option(name)
            until(page, f'root.run.start.loss === "{name}"')
            page.evaluate('for (let i = 0; i < 9; i++) document.querySelector(".widget").run.step()')
        model = model_of(start)
        rates = iter([.3]*9)
        for _ in range(3): train_epoch(model, batches(x[order], y[order], 256), rates, loss)
        theirs = model_of(ask(page, '[[...root.run.model.w], root.run.model.b]'))
        apart = max(float((a - b).abs().max()) for a, b in zip(model, theirs))
        assert apart < 1e-12, f'{name}: the weights are {apart} apart'
        loss_here, _, errors = validate(model, x[n:], y[n:], loss=loss)
        last = curve(page)[-1]
        assert abs(last[1] - loss_here) < 1e-12 and last[2] == errors, (name, last, loss_here, errors)
        print(f'train: after 9 steps of {name} the weights are {apart:.1e} from the package\'s')
