// Draw a digit; see what the line sees, what each pixel says, and how all of it adds up. Beside 05_explain, and on the home page.

import {evidence, logits, sigmoid, toMnist} from './maths.js';
import {Clock, Pad, Spoken, button, calm, captioned, colour, column, el, formatPercent, grey, load, loadLinear, once, paintPixels, picture, redBlue, row, tick} from './page.js';

const STRONGEST = .8;  // the evidence of a pixel that gets the fullest colour

const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(2);

function judge(line, pad) {  // what the model makes of the drawing
  try {
    const {pixels, place} = toMnist(pad.pixels, Pad.size, Pad.size), parts = evidence(line, pixels), z = logits(line, pixels)[0];
    const total = side => parts.reduce((sum, e) => sum + Math.max(0, side*e), 0);
    return {pixels, place, parts, z, p: sigmoid(z), three: total(1), seven: -total(-1)};
  } catch (error) { return {problem: error.message}; }
}

function paintEvidence(c, {pixels, parts, place: {x, y, side}}) {  // on the drawing, where each pixel of the 28x28 came from
  parts.forEach((e, i) => {
    if (pixels[i] < .1) return;
    c.fillStyle = `rgb(${redBlue(e/STRONGEST)})`;
    c.fillRect(x - .5 + i % 28*side/28, y - .5 + Math.floor(i/28)*side/28, side/28 + .1, side/28 + .1);
  });
}

function paintSums(c, width, root, {three, seven, z}, bias) {  // red to the right, blue back to the left, the bias, and where that arrives
  const low = Math.min(0, three + seven, z), high = Math.max(three, z, low + 1), x = v => 140 + (v - low)/(high - low)*(width - 142), ink = colour(root, 'w-ink');
  Object.assign(c, {font: '13px system-ui, sans-serif', textBaseline: 'middle'});
  [['for a three', three, 0, 'w-three'], ['for a seven', seven, three, 'w-seven'], ['bias', bias, three + seven, 'w-soft'], ['logit', z, 0, 'w-ink']].forEach(([name, size, from, paint], i) => {
    Object.assign(c, {fillStyle: ink, textAlign: 'left'}); c.fillText(name, 0, 15 + 30*i);
    c.textAlign = 'right'; c.fillText(signed(size), 132, 15 + 30*i);
    c.fillStyle = colour(root, paint); c.fillRect(x(from), 5 + 30*i, x(from + size) - x(from), 20);
  });
  c.fillStyle = ink; c.fillRect(x(0), 0, 1, 120);
}

export default async function draw(root) {
  const [line, drawings] = await Promise.all([loadLinear(), load('drawings.json')]);
  const seen = picture('', 130), why = picture('', 130), sums = picture('', 290, 120), verdict = el('p', {className: 'widget-verdict'}), spoken = new Spoken();
  let now = {}, rest = 0;

  const show = once(() => {
    const began = performance.now();
    if (began < rest) return show();  // the pen comes first: thinking takes at most a third of the time
    now = judge(line, pad);
    pad.paint();
    const {pixels = new Float64Array(784), parts = pixels, z, p, problem} = now, answer = z > 0 ? 'three' : 'seven', sure = formatPercent(Math.max(p, 1 - p));
    seen.draw((c, w) => paintPixels(c, pixels, grey, 0, 0, w), problem ? 'Nothing yet' : 'The drawing as the model sees it: 28 by 28 pixels, cut out, scaled and centred');
    why.draw((c, w) => paintPixels(c, parts.map(e => e/STRONGEST), redBlue, 0, 0, w), 'The evidence of each pixel, red for a three and blue for a seven');
    sums.draw((c, w) => problem || paintSums(c, w, root, now, line.b), problem ? 'Nothing to add up' : `Bars: ${signed(now.three)} for a three, ${signed(now.seven)} for a seven, bias ${signed(line.b)}; logit ${signed(z)}`);
    verdict.replaceChildren(...problem ? [problem] : ['A ', el('span', {className: answer}, answer), `, ${sure} sure. The probability of a three is σ(${signed(z)}) = ${p.toFixed(4)}.`]);
    spoken.say(problem ? '' : `A ${answer}, ${sure} sure`);
    rest = 3*performance.now() - 2*began;
  });

  const pad = new Pad(show, {label: 'Pad: draw a three or a seven here'}), over = tick('evidence on the drawing', true, pad.paint);
  pad.overlay = c => over.value && now.parts && paintEvidence(c, now);

  let left = [];  // of a sample that is being drawn: [whether a stroke begins, point]
  const hand = new Clock(seconds => {
    for (const [first, point] of left.splice(0, Math.ceil(60*seconds))) first ? pad.begin(point) : pad.extend(point);
    if (!left.length) hand.stop();
  });
  const samples = {3: drawings.filter(d => d.digit === 3), 7: drawings.filter(d => d.digit === 7)};
  const sample = (digit, atOnce) => () => {
    const {strokes} = samples[digit][0];
    samples[digit].push(samples[digit].shift());  // another the next time
    stop();
    if (atOnce || calm()) return pad.set(strokes);
    pad.clear();
    left = strokes.flatMap(stroke => stroke.map((point, i) => [!i, point]));
    hand.start();
  };
  const stop = () => { hand.stop(); left = []; }, act = name => () => { stop(); pad[name](); };
  pad.canvas.addEventListener('pointerdown', () => hand.running && act('clear')(), true);

  root.append(
    el('p', {}, 'Draw a ', el('b', {className: 'three'}, '3'), ' or a ', el('b', {className: 'seven'}, '7'), ' on the white pad, or let a sample be drawn.'),
    row(captioned(pad.canvas, 'your drawing'), column(row(captioned(seen, 'the model sees'), captioned(why, 'each pixel says')), captioned(sums, 'red, blue and bias add up to the logit'))),
    row(button('A sample 3', sample(3)), button('A sample 7', sample(7)), button('Undo', act('undo')), button('Clear', act('clear')), over),
    verdict, pad.help, spoken.element);
  root.widget = {pad};  // for tools/widgets/draw.py
  sample(3, true)();
}
