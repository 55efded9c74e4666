// Draw a digit; see what the line sees, what each pixel says, and how all of it adds up. Beside 05_explain, and on the home page.

import {evidence, logits, sigmoid, toMnist} from './maths.js';
import {Clock, Pad, Spoken, button, calm, captioned, colour, column, el, formatPercent, grey, load, loadLinear, once, paintPixels, picture, redBlue, row, tick} from './page.js';

const STRONGEST = .8;  // the evidence of a pixel that gets the fullest colour

const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(2);

function judge(line, pad) {  // what the model makes of the drawing
  try {
    const {pixels, place} = toMnist(pad.pixels, Pad.size, Pad.size), parts = evidence(line, pixels), z = logits(line, pixels)[0], total = side => parts.reduce((sum, e) => sum + Math.max(0, side*e), 0);
    return {pixels, place, parts, z, p: sigmoid(z), three: total(1), seven: -total(-1)};
  } catch (error) { return {problem: error.message}; }
}

function paintEvidence(context, {pixels, parts, place}) {  // on the drawing, where each pixel of the 28x28 came from
  const side = place.side/28;
  parts.forEach((e, i) => {
    if (pixels[i] < .1) return;
    context.fillStyle = `rgb(${redBlue(e/STRONGEST)})`;
    context.fillRect(place.x - .5 + i % 28*side, place.y - .5 + Math.floor(i/28)*side, side + .1, side + .1);
  });
}

function paintSums(context, width, height, root, {three, seven, z, p}, bias) {  // red to the right, blue back to the left, the bias, and where that arrives
  const steps = [['for a three', three, 0, 'w-three'], ['for a seven', seven, three, 'w-seven'], ['bias', bias, three + seven, 'w-soft'], ['logit', z, 0, 'w-ink']];
  const low = Math.min(0, three + seven, z), high = Math.max(three, z, low + 1), x = v => 140 + (v - low)/(high - low)*(width - 142), ink = colour(root, 'w-ink');
  context.font = '13px system-ui, sans-serif'; context.textBaseline = 'middle';
  steps.forEach(([name, size, from, paint], i) => {
    context.fillStyle = ink; context.textAlign = 'left'; context.fillText(name, 0, 15 + 30*i);
    context.textAlign = 'right'; context.fillText(signed(size), 132, 15 + 30*i);
    context.fillStyle = colour(root, paint); context.fillRect(x(Math.min(from, from + size)), 5 + 30*i, Math.max(1, Math.abs(size)/(high - low)*(width - 152)), 20);
  });
  context.fillStyle = ink; context.fillRect(x(0), 0, 1, height);
}

export default async function draw(root) {
  const [line, drawings] = await Promise.all([loadLinear(), load('drawings.json')]);
  const seen = picture('', 130), why = picture('', 130), sums = picture('', 290, 120), verdict = el('p', {className: 'widget-verdict'}), spoken = new Spoken();
  let now = {}, shown = {3: 0, 7: 0}, rest = 0;

  const show = once(() => {
    if (performance.now() < rest) return show();  // the pen comes first: thinking takes at most a third of the time
    const began = performance.now();
    now = judge(line, pad);
    pad.paint();
    const {pixels = new Float64Array(784), parts = pixels, z = 0, p, problem} = now, answer = z > 0 ? 'three' : 'seven';
    seen.draw((c, w) => paintPixels(c, pixels, grey, 0, 0, w), problem ? 'Nothing yet' : 'The drawing as the model sees it: 28 by 28 pixels, cut out, scaled and centred');
    why.draw((c, w) => paintPixels(c, parts.map(e => e/STRONGEST), redBlue, 0, 0, w), `Evidence of each pixel, red for a three and blue for a seven`);
    sums.draw((c, w, h) => problem || paintSums(c, w, h, root, now, line.b), problem ? 'Nothing to add up' : `Bars: ${signed(now.three)} for a three, ${signed(now.seven)} for a seven, bias ${signed(line.b)}; logit ${signed(z)}`);
    verdict.replaceChildren(...problem ? [problem] : ['A ', el('span', {className: answer, textContent: answer}), `, ${formatPercent(Math.max(p, 1 - p))} sure. The probability of a three is σ(${signed(z)}) = ${p.toFixed(4)}.`]);
    spoken.say(problem ? '' : `A ${answer}, ${formatPercent(Math.max(p, 1 - p))} sure`);
    rest = performance.now() + 2*(performance.now() - began);
  });

  const pad = new Pad(show, {label: 'Pad: draw a three or a seven here'});
  pad.overlay = context => over.checked && now.parts && paintEvidence(context, now);
  const over = tick('evidence on the drawing', true, pad.paint);

  let left = [];  // of a sample that is being drawn
  const hand = new Clock(seconds => {
    for (let n = Math.ceil(60*seconds); n > 0 && left.length; n--) { const [first, point] = left.shift(); first ? pad.begin(point) : pad.extend(point); }
    if (!left.length) hand.stop();
  });
  const sample = (digit, atOnce) => () => {
    const known = drawings.filter(d => d.digit === digit), {strokes} = known[shown[digit]++ % known.length];
    hand.stop();
    if (atOnce || calm()) return pad.set(strokes);
    pad.clear();
    left = strokes.flatMap(stroke => stroke.map((point, i) => [!i, point]));
    hand.start();
  };
  pad.canvas.addEventListener('pointerdown', () => { if (hand.running) { hand.stop(); pad.clear(); } }, true);

  root.append(
    el('p', {}, 'Draw a ', el('b', {className: 'three', textContent: '3'}), ' or a ', el('b', {className: 'seven', textContent: '7'}), ' on the white pad, or let a sample be drawn.'),
    row(captioned(pad.canvas, 'your drawing'), column(row(captioned(seen, 'the model sees'), captioned(why, 'each pixel says')), captioned(sums, 'red, blue and bias add up to the logit'))),
    row(button('A sample 3', sample(3)), button('A sample 7', sample(7)), button('Undo', () => pad.undo()), button('Clear', () => pad.clear()), over),
    verdict, pad.help, spoken.element);
  root.widget = {pad};  // for tools/widgets/draw.py
  sample(3, true)();
}
