// Draw a digit; see what the model sees, what each pixel says, and their sum. Beside 24_explain, and on the home page.

import {evidence, logits, scopeLogit, sigmoid, softmax, tenLogits, toMnist} from './maths.js';
import {Clock, Pad, calm, formatPercent, grey, load, loadLinear, loadNetwork, once, redBlue, write} from './page.js';

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

function sayNetwork(z) {  // what a network that knows ten digits makes of the same pixels
  const p = softmax(z), digit = p.indexOf(Math.max(...p)), three = sigmoid(z[3] - z[7]);
  if (scopeLogit(z) >= 0) return `With 61,242 numbers: a ${three > .5 ? 'three' : 'seven'}, ${formatPercent(Math.max(three, 1 - three))} sure.`;
  const like = p[digit] < .5 ? 'It does not look like a digit.' : `It looks like ${digit === 8 ? 'an' : 'a'} ${digit}, ${formatPercent(p[digit])} sure.`;
  return `With 61,242 numbers: neither a three nor a seven. ${like} (785 numbers have to choose one of the two.)`;
}

function showSums(lines, {three = 0, seven = 0, z}, bias) {  // each bar begins where the one before ends
  z ??= bias;
  const low = Math.min(0, three + seven, z), width = Math.max(three, z, low + 1) - low;
  [[three, 0], [seven, three], [bias, three + seven], [z, 0]].forEach(([size, from], i) => {
    const [number, bar] = lines[i].children;
    number.textContent = signed(size);
    Object.assign(bar.style, {left: `${100*(Math.min(from, from + size) - low)/width}%`, width: `${100*Math.abs(size)/width}%`});
  });
}

export default async function draw({paper, seen, why, sums, verdict, second, spoken, three, seven, undo, clear, over}, {plain}, root) {
  const [linear, drawings] = await Promise.all([loadLinear(), load('drawings.json')]), speak = text => { spoken.textContent = text; };
  let now = {}, rest = 0, later, network;
  sums.hidden = !!plain;

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
    const named = `<span class="${answer}">${answer}</span>, ${sure} sure.`;
    verdict.innerHTML = problem ?? (plain ? `With 785 numbers: a ${named}` : `A ${named} The probability of a three is σ(${signed(z)}) = ${p.toFixed(4)}.`);
    write(second, !problem && network ? sayNetwork(tenLogits(network, pixels)) : '');
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
  const fetchNetwork = async () => { network ??= await loadNetwork().catch(() => undefined); show(); };  // when it is first needed
  for (const event of ['pointerdown', 'keydown', 'click']) root.addEventListener(event, fetchNetwork, {once: true});
  paper.addEventListener('pointerdown', () => hand.running && act('clear')(), true);
  pad.set(drawings[0].strokes);
}
