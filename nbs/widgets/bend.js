// Where a line stops: a line and a small network learn the same points. Beside 07_nets.

import {LOSSES, backward, countErrors, drawPoints, initLinear, initMlp, logits, sgdStep, sigmoid} from './maths.js';
import {button, captioned, choice, el, once, paintPixels, picture, player, pointing, redBlue, row, slider} from './page.js';

const SIDE = 280, GRID = 48, {loss, grad} = LOSSES.bce;

const CELLS = Array.from({length: GRID**2}, (_, i) => [i % GRID, GRID - 1 - Math.floor(i/GRID)].map(v => (2*v + 1)/GRID - 1)), INPUTS = Float64Array.from(CELLS.flat());  // where the models are asked
const pixels = ([a, b]) => [SIDE/2*(1 + a), SIDE/2*(1 - b)];

function dotZero(context, z, size) {  // where z changes its sign between cells
  context.beginPath();
  for (let i = 0; i < z.length; i++) for (let j = i + 1; j <= i + GRID; j += GRID - 1) {  // the one to the right, the one below
    if (!(z[i]*z[j] < 0) || j === i + 1 && j % GRID === 0) continue;
    const [a, b] = pixels(CELLS[i].map((v, k) => v + (CELLS[j][k] - v)*z[i]/(z[i] - z[j])));
    context.rect(a - size/2, b - size/2, size, size);
  }
  context.fill();
}

export default function bend(root) {
  const models = [x => logits(line, x), x => net.logits(x)];
  let points, x, y, line, net, seed = 1, steps, kind, cursor = [0, 0];

  function begin() {  // both at random
    play.stop();
    root.line = line = initLinear(seed, 2); root.net = net = initMlp(seed, hidden.value, 2);
    steps = 0;
    show();
  }

  function have(some) {
    points = some.slice(-300);
    x = Float64Array.from(points.flatMap(p => p.at)); y = Float64Array.from(points, p => p.y);
    show();
  }

  const preset = name => { have(drawPoints(name)); begin(); };

  function step() {  // down the gradient over all points
    const [d, e] = models.map(model => grad(model(x), y));
    sgdStep(line, backward(x, d, 2), rate.value); net.step(net.backward(x, e), rate.value);
    steps++;
    show();
  }

  function paint(context, z, bends, canvas) {
    paintPixels(context, z, v => redBlue(1.3*sigmoid(v) - .65), 0, 0, SIDE, GRID, true);
    context.fillStyle = context.strokeStyle = '#111';
    dotZero(context, z, 4);
    bends.forEach((b, unit) => dotZero(context, logits({w: [net.w1[unit], net.w1[bends.length + unit]], b}, INPUTS), 1));  // where hidden units begin
    if (document.activeElement === canvas) context.strokeRect(...pixels(cursor).map(v => v - 8), 16, 16);
    context.strokeStyle = '#fff';
    for (const {at, y} of points) {
      const [a, b] = pixels(at);
      context.fillStyle = y ? '#8f1224' : '#0b4a8a';
      context.beginPath(); y ? context.arc(a, b, 5, 0, 7) : context.rect(a - 4, b - 4, 8, 8); context.fill(); context.stroke();
    }
  }

  const show = once(() => {
    const errors = figures.map(({caption, canvas}, i) => {
      const z = models[i](x), wrong = countErrors(z, y);
      caption.textContent = `${['Line', 'Network'][i]}: ${wrong} of ${y.length} wrong, loss ${y.length && loss(z, y).toFixed(3)}`;
      canvas.draw(context => paint(context, models[i](INPUTS), i ? net.b1 : [], canvas), `${caption.textContent}. Cursor at ${cursor.map(v => v.toFixed(1))}`);
      return wrong;
    });
    count.textContent = `Step ${steps}`;
    const text = !steps ? 'Both start at random. Press Play.' : errors[1] ? 'The network still has points wrong.' : errors[0] ? 'The network has every point right, the line has not.' : 'Both have every point right: a line is enough.';
    if (words.textContent !== text) words.textContent = text;
  });

  const place = at => have([...points, {at: cursor = at, y: kind}]), undo = () => have(points.slice(0, -1));
  const figures = [0, 1].map(() => {
    const canvas = picture('points', SIDE);
    canvas.onfocus = canvas.onblur = show;
    pointing(canvas, (a, b, first) => {
      const at = [2*a - 1, 1 - 2*b];
      if (first || Math.hypot(at[0] - cursor[0], at[1] - cursor[1]) > .12) place(at);
    }, (dx, dy, {key}) => {
      cursor = [cursor[0] + dx/10, cursor[1] - dy/10].map(v => Math.max(-1, Math.min(1, v)));
      if (key === ' ') place(cursor); else if (key === 'Backspace') undo(); else show();
    });
    return captioned(canvas, '');
  });
  const play = player(60, () => { step(); if (steps % 3000 === 0) play.stop(); });
  const hidden = slider('Hidden units', [1, 2, 3, 4, 6, 8, 12, 16, 24], 8, begin), rate = slider('Learning rate', [.01, .03, .1, .3, 1, 3], .3, show);
  const kinds = ['Blue ■', 'Red ●'].map((text, k) => button(text, () => choose(k)));
  const choose = k => { kind = k; kinds.forEach((one, i) => one.ariaPressed = i === k); };
  const words = el('p', {className: 'widget-verdict', 'aria-live': 'polite'}), count = el('span', {className: 'widget-tick'});
  choose(1); preset('xor');
  root.append(row(...figures), words,
    row(play, button('Step', () => { play.stop(); step(); }), button('Reset', begin), button('New random start', () => { seed++; begin(); }), count),
    row(choice('Points', {xor: 'XOR', ring: 'ring', moons: 'two moons', blobs: 'two blobs'}, 'xor', preset), hidden, rate),
    row(el('span', {className: 'widget-tick', textContent: 'Place:'}), ...kinds, button('Undo', undo), button('Clear', () => have([]))),
    el('p', {className: 'widget-help', textContent: 'Click or drag in a picture. Keyboard: arrows move the square, Space places a point, Backspace undoes.'}));
}
