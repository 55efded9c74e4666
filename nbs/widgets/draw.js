// Draw a digit, and see what the line sees, and why it says what it says. Beside 05_explain.

import {evidence, logits, sigmoid} from './maths.js';
import {Pad, button, captioned, choice, column, grey, el, load, loadLinear, paintPixels, paintPlot, picture, row, slider, tick, colour} from './page.js';

export default async function draw(root) {
  const [line, drawings] = await Promise.all([loadLinear(), load('drawings.json')]);
  const pad = new Pad(() => 0);
  const seen = picture('28 by 28', 140);
  seen.draw(c => paintPixels(c, new Float64Array(784).fill(.5), grey, 0, 0, 140));
  const plot = picture('plot', 300, 180);
  plot.draw((c, w, h) => paintPlot(c, w, h, root, {lines: [{points: [[0, 0], [1, 2], [2, 1]], colour: colour(root, 'w-three')}], xlim: [0, 2], ylim: [0, 2], xlabel: 'x', ylabel: 'y'}));
  root.append(row(captioned(pad.canvas, 'draw here'), captioned(seen, 'what the model sees')), pad.help, plot, row(button('A three', () => pad.set(drawings[0].strokes)), slider('Learning rate', [.1, 1, 10], 1, () => 0), choice('Loss', {a: 'b', c: 'd'}, 'c', () => 0), tick('shuffle', true, () => 0)));
}
