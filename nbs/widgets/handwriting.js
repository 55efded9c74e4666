// Twenty digits by the reader's hand: which does the line read? And files of them, for mnist_train. On a page of its own.

import {Random, logits, sigmoid, toMnist, wilson} from './maths.js';
import {Pad, button, captioned, column, el, formatPercent, grey, load, loadLinear, once, paintPixels, picture, row} from './page.js';

const N = 20, KEY = 'mnist_nbdev: handwriting';

const fresh = () => ({at: 0, drawings: Array.from(new Random(Date.now()).permutation(N), i => ({asked: i < N/2 ? 3 : 7, strokes: []}))});  // the drawing `at` is asked for

// ---- files, byte by byte

const ascii = text => Array.from(text, c => c.charCodeAt());

const little = (n, size = 4) => Array.from({length: size}, (_, i) => n >>> 8*i & 255);  // the least byte first, as in a zip

const big = n => little(n).reverse();  // and last, as in a PNG

const crc = bytes => ~bytes.reduce((c, byte) => {  // the checksum of both, CRC-32
  c ^= byte;
  for (let k = 0; k < 8; k++) c = c >>> 1 ^ (c & 1 && 0xEDB88320);
  return c;
}, -1);

async function png(pixels) {  // 28x28 bytes of grey; each row begins with 0: not filtered
  const rows = Uint8Array.from({length: 28*29}, (_, i) => i % 29 && pixels[i - Math.ceil(i/29)]);
  const packed = await new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer();
  const chunk = (name, data, body = [...ascii(name), ...data]) => [...big(data.length), ...body, ...big(crc(body))];
  return [...ascii('\x89PNG\r\n\x1a\n'), ...chunk('IHDR', [...big(28), ...big(28), 8, 0, 0, 0, 0]), ...chunk('IDAT', new Uint8Array(packed)), ...chunk('IEND', [])];
}

function zip(files) {  // [[name, bytes], …], not compressed: each after its head; then all heads again
  const body = [], list = [], count = little(files.length, 2);
  for (const [name, data] of files) {
    const size = little(data.length), head = [10, 0, ...little(0, 6), 33, 0, ...little(crc(data)), ...size, ...size, name.length, 0, 0, 0];  // 33: 1 January 1980
    list.push(...ascii('PK\x01\x02\n\0'), ...head, ...little(0, 10), ...little(body.length), ...ascii(name));
    body.push(...ascii('PK\x03\x04'), ...head, ...ascii(name), ...data);
  }
  return Uint8Array.from([...body, ...list, ...ascii('PK\x05\x06'), ...little(0), ...count, ...count, ...little(list.length), ...little(body.length), 0, 0]);
}

async function pictures(answers) {  // every fifth of a digit for validation, as load_sample divides a table
  const n = {3: 0, 7: 0}, files = [];
  for (const {asked, pixels} of answers) files.push([`${++n[asked] % 5 ? 'train' : 'valid'}/${asked}/${100 + n[asked]}.png`, await png(pixels)]);
  return zip(files);
}

const table = answers => [['label', ...Array.from({length: 784}, (_, i) => `pixel${i}`)], ...answers.map(a => [a.asked, a.pixels]), ''].join('\n');

const download = (name, content) => el('a', {href: URL.createObjectURL(new Blob([content])), download: name}).click();

// ---- the result

function judge(line, drawings) {
  const z = logits(line, drawings.flatMap(d => d.pixels).map(v => v/255));
  return drawings.map((d, i) => ({...d, answer: z[i] > 0 ? 3 : 7, p: sigmoid(Math.abs(z[i]))}));
}

const right = answers => answers.filter(a => a.answer === a.asked).length;

function summary(answers) {
  const own = answers.filter(a => !a.sample), [low, high] = wilson(right(answers), N).map(formatPercent);
  return `${N} are few: of very many like these it may read anything from ${low} to ${high} right (Wilson's 95% interval).${own.length % N ? ` Of your own ${own.length} it read ${right(own)} right; the others are samples.` : ''}`;
}

function confusion(answers) {
  const count = (asked, answer) => answers.filter(a => a.asked === asked && a.answer === answer).length;
  return el('table', {innerHTML: '<caption>How many were read as what<tr><td><th scope=col>read as a 3<th scope=col>read as a 7' +
    [3, 7].map(d => `<tr><th scope=row>asked for a ${d}<td>${count(d, 3)}<td>${count(d, 7)}`).join('')});
}

function card({asked, answer, p, sample, pixels}) {  // a drawing as the model saw it
  const wrong = answer !== asked, words = `${wrong ? 'Wrong: ' : ''}${asked} read as ${answer}, ${formatPercent(p)} sure${sample ? ', sample' : ''}`, canvas = picture(words, 80);
  canvas.draw((c, w) => paintPixels(c, pixels.map(v => v/255), grey, 0, 0, w));
  return el('div', {className: `widget-card ${wrong && 'wrong'}`}, captioned(canvas, words));
}

// ---- the widget

export default async function handwriting(root) {
  const [line, samples] = await Promise.all([loadLinear(), load('drawings.json')]), task = el('p', {className: 'widget-verdict', tabIndex: -1, 'aria-live': 'polite'}), stage = el('div');
  let state, tried = 0;
  const now = () => state.drawings[state.at];

  const keep = once(() => { try { localStorage.setItem(KEY, JSON.stringify(state)); } catch {} });  // for a reload, where the browser lets us

  const pad = new Pad(({strokes, empty, canvas}) => {
    Object.assign(now(), {strokes, sample: now().sample && !empty});
    canvas.setAttribute('aria-label', `Pad for a ${now().asked}; strokes on it: ${strokes.length}`);
    keep();
  });

  function sample() {  // another each time
    now().sample = true;
    pad.set(samples.filter(s => s.digit === now().asked)[(state.at + 7*tried++) % 50].strokes);
  }

  function go(step) {
    try {
      if (step > 0) now().pixels = Array.from(toMnist(pad.pixels, Pad.size, Pad.size).pixels, v => Math.round(255*v));  // bytes
      state.at = Math.max(0, state.at + step);
      show();
    } catch (error) { show(error.message); }
    (state.at < N ? pad.canvas : task).focus({preventScroll: true});
  }

  const asking = [row(pad.canvas, column(button('Next', () => go(1)), button('Back', () => go(-1)), button('Undo', () => pad.undo()), button('Clear', () => pad.clear()), button('Take a sample', sample))), pad.help];

  function show(problem = '') {
    keep();
    if (state.at === N) return result(judge(line, state.drawings));
    pad.set(now().strokes);
    pad.pen = [70, 70];
    task.textContent = `${state.at + 1} of ${N}: please draw a ${now().asked}, as you write it. ${problem}`;
    stage.replaceChildren(...asking);
  }

  function result(answers) {
    task.textContent = `The line read ${right(answers)} of ${N} right: ${formatPercent(right(answers)/N)}.`;
    stage.replaceChildren(el('p', {}, summary(answers)), row(confusion(answers)), 'Each as the model saw it:', row(...answers.map(card)),
      row(button('Download a table (CSV)', () => download('my-digits.csv', table(answers))), button('Download pictures (zip)', async () => download('my-digits.zip', await pictures(answers)))));
  }

  const begin = from => { state = from; show(); };

  pad.help.append(' Enter: next.');
  pad.canvas.addEventListener('keydown', event => { if (event.key === 'Enter') go(1); });
  root.append(task, stage, row(button('Forget my drawings', () => confirm('Forget them, and start again?') && begin(fresh())), 'Nothing leaves this browser. It keeps your drawings for a reload.'));
  try { begin(JSON.parse(localStorage.getItem(KEY))); } catch { begin(fresh()); }  // nothing was kept, or something else
}
