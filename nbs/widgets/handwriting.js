// Twenty digits by the reader's hand: which does the line read? And files of them, for mnist_train. On a page of its own.

import {Random, logits, sigmoid, toMnist, wilson} from './maths.js';
import {Pad, formatPercent, grey, load, loadLinear, once, picture} from './page.js';

const N = 20, KEY = 'mnist_nbdev: handwriting';

const fresh = () => ({at: 0, drawings: Array.from(new Random(Date.now()).permutation(N), i => ({asked: i < N/2 ? 3 : 7, strokes: []}))});  // the drawing `at` is asked for

// ---- files, byte by byte

const ascii = text => Array.from(text, c => c.charCodeAt());

const little = (n, size = 4) => Array.from({length: size}, (_, i) => n >>> 8*i & 255);  // the least byte first

const crc = bytes => ~bytes.reduce((c, byte) => {  // the checksum CRC-32
  c ^= byte;
  for (let k = 0; k < 8; k++) c = c >>> 1 ^ (c & 1 && 0xEDB88320);
  return c;
}, -1);

async function png(pixels) {
  const canvas = document.createElement('canvas'), image = new ImageData(28, 28);
  canvas.width = canvas.height = 28;
  pixels.forEach((v, i) => image.data.set([v, v, v, 255], 4*i));
  canvas.getContext('2d').putImageData(image, 0, 0);
  return new Uint8Array(await (await new Promise(done => canvas.toBlob(done))).arrayBuffer());
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

async function pictures(answers) {  // every fifth of a digit for validation
  const n = {3: 0, 7: 0}, files = [];
  for (const {asked, pixels} of answers) files.push([`${++n[asked] % 5 ? 'train' : 'valid'}/${asked}/${100 + n[asked]}.png`, await png(pixels)]);
  return zip(files);
}

const csv = answers => [['label', ...Array.from({length: 784}, (_, i) => `pixel${i}`)], ...answers.map(a => [a.asked, a.pixels]), ''].join('\n');

const download = (name, content) => Object.assign(document.createElement('a'), {href: URL.createObjectURL(new Blob([content])), download: name}).click();

// ---- the result

function judge(line, drawings) {
  const z = logits(line, drawings.flatMap(d => d.pixels).map(v => v/255));
  return drawings.map((d, i) => ({...d, answer: z[i] > 0 ? 3 : 7, p: sigmoid(Math.abs(z[i]))}));
}

const right = answers => answers.filter(a => a.answer === a.asked).length;

function addCard(cards, {asked, answer, p, sample, pixels}) {  // a drawing as the model saw it
  const wrong = answer !== asked, words = `${wrong ? 'Wrong: ' : ''}${asked} read as ${answer}, ${formatPercent(p)} sure${sample ? ', sample' : ''}`;
  cards.insertAdjacentHTML('beforeend', `<figure class="widget-card ${wrong ? 'wrong' : ''}"><canvas data-size="80 80" role="img"></canvas><figcaption>${words}</figcaption></figure>`);
  const canvas = cards.lastChild.firstChild;
  picture(canvas);
  canvas.pixels(pixels, grey, words, 255);
}

// ---- the widget

export default async function handwriting({task, asking, paper, next, back, undo, clear, sample, result, low, high, mine, counts, cards, table, zipped, forget}) {
  const [line, samples] = await Promise.all([loadLinear(), load('drawings.json')]);
  let state, answers, tried = 0;
  const now = () => state.drawings[state.at];

  const keep = once(() => { try { localStorage.setItem(KEY, JSON.stringify(state)); } catch {} });  // where the browser lets us

  const pad = new Pad(paper, ({strokes, empty}) => {
    Object.assign(now(), {strokes, sample: now().sample && !empty});
    paper.setAttribute('aria-label', `Pad for a ${now().asked}; strokes on it: ${strokes.length}`);
    keep();
  });

  function go(step) {
    try {
      if (step > 0) now().pixels = Array.from(toMnist(pad.pixels, Pad.size, Pad.size).pixels, v => Math.round(255*v));  // bytes
      state.at = Math.max(0, state.at + step);
      show();
    } catch ({message}) { show(message); }
    (state.at < N ? paper : task).focus({preventScroll: true});
  }

  function show(problem = '') {
    keep();
    asking.hidden = state.at === N; result.hidden = state.at < N;
    if (state.at === N) return judgeAll();
    pad.set(now().strokes);
    pad.pen = [70, 70];
    task.textContent = `${state.at + 1} of ${N}: please draw a ${now().asked}, as you write it. ${problem}`;
  }

  function judgeAll() {
    answers = judge(line, state.drawings);
    const own = answers.filter(a => !a.sample);
    task.textContent = `The line read ${right(answers)} of ${N} right: ${formatPercent(right(answers)/N)}.`;
    [low.textContent, high.textContent] = wilson(right(answers), N).map(formatPercent);
    mine.textContent = own.length % N ? `Of your own ${own.length} it read ${right(own)} right; the others are samples.` : '';
    [33, 37, 73, 77].forEach((both, i) => { counts.querySelectorAll('td')[i].textContent = answers.filter(a => 10*a.asked + a.answer === both).length; });
    cards.replaceChildren();
    for (const one of answers) addCard(cards, one);
  }

  const begin = from => { state = from; show(); };

  next.onclick = () => go(1);
  back.onclick = () => go(-1);
  undo.onclick = () => pad.undo();
  clear.onclick = () => pad.clear();
  sample.onclick = () => {  // another each time
    now().sample = true;
    pad.set(samples.filter(s => s.digit === now().asked)[(state.at + 7*tried++) % 50].strokes);
  };
  paper.addEventListener('keydown', ({key}) => { if (key === 'Enter') go(1); });
  table.onclick = () => download('my-digits.csv', csv(answers));
  zipped.onclick = async () => download('my-digits.zip', await pictures(answers));
  forget.onclick = () => confirm('Forget them, and start again?') && begin(fresh());
  try { begin(JSON.parse(localStorage.getItem(KEY))); } catch { begin(fresh()); }  // nothing was kept
}
