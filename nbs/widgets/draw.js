// Draw a digit; see what the model sees, what each pixel says, and their sum. Beside 24_explain, and on the home page.

import {evidence, logits, sigmoid, toMnist} from './maths.js';
import {Clock, Pad, calm, formatPercent, grey, load, loadLinear, once, redBlue} from './page.js';

const STRONGEST = .8;  // the evidence of a pixel that gets the fullest colour

const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(2);

function judge(linear, pad) {
  try {
    const {pixels, place} = toMnist(pad.pixels, Pad.size, Pad.size), parts = evidence(linear, pixels), z = logits(linear, pixels)[0];
    const total = side => parts.reduce((sum, e) => sum + Math.max(0, side*e), 0);
    return {pixels, place, parts, z, p: sigmoid(z), three: total(1), seven: -total(-1)};
  } catch ({message}) { return {problem: message}; }
}

function paintEvidence(c, {pixels, parts, place: {x, y, side}}) {  // on the drawing, where each pixel of the 28x28 came from
  parts.forEach((e, i) => {
    if (pixels[i] < .1) return;
    c.fillStyle = `rgb(${redBlue(e/STRONGEST)})`;
    c.fillRect(x - .5 + i % 28*side/28, y - .5 + Math.floor(i/28)*side/28, .8*side/28, .8*side/28);
  });
}

function showSums(lines, {three = 0, seven = 0, z = 0}, bias) {  // each bar begins where the one before ends
  const low = Math.min(0, three + seven, z), width = Math.max(three, z, low + 1) - low;
  [[three, 0], [seven, three], [bias, three + seven], [z, 0]].forEach(([size, from], i) => {
    const [number, bar] = lines[i].children;
    number.textContent = signed(size);
    Object.assign(bar.style, {left: `${100*(Math.min(from, from + size) - low)/width}%`, width: `${100*Math.abs(size)/width}%`});
  });
}

export default async function draw({paper, seen, why, sums, verdict, spoken, three, seven, undo, clear, over}, _, root) {
  const [linear, drawings] = await Promise.all([loadLinear(), load('drawings.json')]), speak = text => { spoken.textContent = text; };
  let now = {}, rest = 0, later;

  const show = once(() => {
    const began = performance.now();
    if (began < rest) return show();  // drawing comes first: the model takes at most a third of the time
    now = judge(linear, pad);
    root.pixels = now.pixels;
    pad.paint();
    const {pixels = new Float64Array(784), parts = pixels, z, p, problem} = now, answer = z > 0 ? 'three' : 'seven', sure = formatPercent(Math.max(p, 1 - p));
    seen.pixels(pixels, grey);
    why.pixels(parts, redBlue, '', STRONGEST);
    showSums(sums.children, now, linear.b);
    verdict.innerHTML = problem ?? `A <span class="${answer}">${answer}</span>, ${sure} sure. The probability of a three is σ(${signed(z)}) = ${p.toFixed(4)}.`;
    clearTimeout(later); later = setTimeout(speak, 700, problem ? '' : `A ${answer}, ${sure} sure`);  // when nothing has changed for a while
    rest = 3*performance.now() - 2*began;
  });

  const pad = root.pad = new Pad(paper, show);
  pad.overlay = c => over.checked && now.parts && paintEvidence(c, now);
  over.onchange = pad.paint;

  let left = [];  // of a sample that is being drawn: [whether a stroke begins, point]
  const hand = new Clock(seconds => {
    for (const [first, point] of left.splice(0, Math.ceil(60*seconds))) first ? pad.begin(point) : pad.extend(point);
    if (!left.length) hand.stop();
  });
  const act = name => () => { hand.stop(); pad[name](); };
  const sample = digit => () => {
    const next = drawings.findIndex(d => d.digit === digit), {strokes} = drawings[next];
    drawings.push(...drawings.splice(next, 1));  // another the next time
    act('clear')();
    if (calm()) return pad.set(strokes);
    left = strokes.flatMap(stroke => stroke.map((point, i) => [!i, point]));
    hand.start();
  };
  undo.onclick = act('undo');
  clear.onclick = act('clear');
  three.onclick = sample(3);
  seven.onclick = sample(7);
  paper.addEventListener('pointerdown', () => hand.running && act('clear')(), true);
  pad.set(drawings[0].strokes);
}
