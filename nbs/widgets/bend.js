// Where a linear model stops: it and a small network learn the same points. Beside 10_nets.

import {LOSSES, backward, clamp, countErrors, initLinear, initMlp, logits, sgdStep, sigmoid} from './maths.js';
import {dot, once, paintPixels, player, pointing, redBlue, write} from './page.js';

const SIDE = 280, GRID = 48, {loss, grad} = LOSSES.bce_loss;

const CELLS = Array.from({length: GRID**2}, (_, i) => [i % GRID, GRID - 1 - Math.floor(i/GRID)].map(v => (2*v + 1)/GRID - 1)), INPUTS = Float64Array.from(CELLS.flat());  // where the models are asked
const pixels = ([a, b]) => [SIDE/2*(1 + a), SIDE/2*(1 - b)];

function dotZero(c, z, size) {  // where z changes its sign between cells
  for (let i = 0; i < z.length; i++) for (let j = i + 1; j <= i + GRID; j += GRID - 1) {  // the one to the right, the one below
    if (!(z[i]*z[j] < 0) || j === i + 1 && j % GRID === 0) continue;
    const [a, b] = pixels(CELLS[i].map((v, k) => v + (CELLS[j][k] - v)*z[i]/(z[i] - z[j])));
    c.fillRect(a - size/2, b - size/2, size, size);
  }
}

export default function bend({left, right, words, play, step, reset, fresh, count, preset, hidden, rate, blue, red, undo, clear}, {presets}, root) {  // presets by name: points, [x, y, class]
  const models = [x => logits(line, x), x => net.logits(x)], canvases = [left, right];
  let points, x, y, line, net, seed = 1, steps, kind, cursor = [0, 0];

  function begin() {
    play.stop();
    root.line = line = initLinear(seed, 2); root.net = net = initMlp(seed, hidden.chosen, 2);
    steps = 0;
    show();
  }

  function have(some) {
    points = some.slice(-300);
    x = Float64Array.from(points.flatMap(([a, b]) => [a, b])); y = Float64Array.from(points, p => p[2]);
    show();
  }

  const load = () => { have(presets[preset.value]); begin(); };

  function go() {
    const [d, e] = models.map(model => grad(model(x), y));
    sgdStep(line, backward(x, d, 2), rate.chosen); net.step(net.backward(x, e), rate.chosen);
    steps++;
    show();
  }

  function paint(c, z, bends) {
    paintPixels(c, z, v => redBlue(1.3*sigmoid(v) - .65), SIDE, GRID, true);
    c.fillStyle = c.strokeStyle = '#111';
    dotZero(c, z, 4);
    bends.forEach(unit => dotZero(c, logits(unit, INPUTS), 1));  // where hidden units begin
    if (document.activeElement === c.canvas) c.strokeRect(...pixels(cursor).map(v => v - 8), 16, 16);
    for (const [p, q, y] of points) {
      const [a, b] = pixels([p, q]);
      c.fillStyle = y ? '#8f1224' : '#0b4a8a';
      y ? dot(c, a, b, 5) : c.fillRect(a - 4, b - 4, 8, 8);
    }
  }

  const show = once(() => {
    const errors = canvases.map((canvas, i) => {
      const z = models[i](x), wrong = countErrors(z, y), text = `${['Line', 'Network'][i]}: ${wrong} of ${y.length} wrong, loss ${y.length && loss(z, y).toFixed(3)}`;
      write(canvas.previousElementSibling, text);
      canvas.draw(c => paint(c, models[i](INPUTS), i ? net.units : []), `${text}. Cursor at ${cursor.map(v => v.toFixed(1))}`);
      return wrong;
    });
    write(count, `Step ${steps}`);
    write(words, !y.length ? 'Place points of both colours.' : !steps ? 'Both start at random. Press Play.' : errors[1] ? 'The network still has points wrong.' : errors[0] ? 'The network has every point right, the line has not.' : 'Both have every point right: a line is enough.');
  });

  const place = at => have([...points, [...cursor = at, kind]]), back = () => have(points.slice(0, -1));
  for (const canvas of canvases) {
    canvas.onfocus = canvas.onblur = show;
    pointing(canvas, (a, b, first) => {
      const at = [2*a - 1, 1 - 2*b];
      if (first || Math.hypot(at[0] - cursor[0], at[1] - cursor[1]) > .12) place(at);
    }, (dx, dy, {key}) => {
      cursor = [cursor[0] + dx/10, cursor[1] - dy/10].map(v => clamp(v, -1));
      if (key === ' ') place(cursor); else if (key === 'Backspace') back(); else show();
    });
  }
  const choose = k => { kind = k; [blue, red].forEach((button, i) => button.ariaPressed = i === k); };
  player(play, 60, () => { go(); if (steps % 3000 === 0) play.stop(); });
  step.onclick = () => { play.stop(); go(); };
  fresh.onclick = () => { seed++; begin(); };
  undo.onclick = back;
  clear.onclick = () => have([]);
  blue.onclick = () => choose(0);
  red.onclick = () => choose(1);
  reset.onclick = hidden.oninput = begin;
  preset.innerHTML = Object.keys(presets).map(name => `<option>${name}</option>`).join('');
  preset.onchange = load;
  choose(1); load();
}
