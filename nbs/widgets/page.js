// What the widgets share besides mathematics. A widget is two files: NAME.html, what is to be seen, and NAME.js, whose one function
// (parts, options, root) brings it to life. The parts are the elements with an attribute `part`, by that name.

import {addSegment, clamp, drawStrokes, readNetwork} from './maths.js';

const {ceil, floor, max, min, round} = Math;

// ---- starting

document.head.insertAdjacentHTML('beforeend', `<link rel="stylesheet" href="${new URL('widgets.css', import.meta.url)}">`);

export async function start() {  // every widget on the page that is not alive yet
  for (const root of document.querySelectorAll('.widget:not(.on)')) {
    const words = [...root.childNodes], name = root.dataset.widget;
    root.classList.add('on');
    try {
      const [{default: widget}, html] = await Promise.all([import(`./${name}.js`), load(`${name}.html`)]);
      root.innerHTML = html;
      root.querySelectorAll('canvas[data-size]').forEach(picture);
      root.querySelectorAll('[type=range]').forEach(slider);
      await widget(Object.fromEntries(Array.from(root.querySelectorAll('[part]'), e => [e.getAttribute('part'), e])), JSON.parse(root.dataset.options || '{}'), root);
      root.dataset.ready = 'yes';
      if (location.hash === `#${root.id}`) root.scrollIntoView();  // it has grown
    } catch (error) {  // the still picture and its sentence come back
      root.replaceChildren(...words);
      root.classList.replace('on', 'failed');
      throw error;
    }
  }
}

export async function load(name) {  // a file beside this one
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw Error(`${name}: ${answer.status}`);
  if (name.endsWith('.json')) return answer.json();
  if (name.endsWith('.bin')) return new Uint8Array(await new Response(answer.body.pipeThrough(new DecompressionStream('deflate'))).arrayBuffer());
  return answer.text();
}

export async function loadLinear() {  // the linear model that ships
  const {w, b} = await load('linear.json');
  return {w: Float64Array.from(w), b};
}

export const loadNetwork = async () => readNetwork(new Float32Array((await load('network.bin')).buffer));  // that ships

export async function loadDigits() {  // {train, valid}, each {x, y, n}
  const [bytes, {labels, train}] = await Promise.all([load('digits.bin'), load('digits.json')]);
  const part = (from, to) => ({n: to - from, x: Float64Array.from(bytes.subarray(784*from, 784*to), v => v/255), y: Float64Array.from(labels.slice(from, to), l => +(l === '3'))});
  return {train: part(0, train), valid: part(train, labels.length)};
}

// ---- sliders and words

function slider(input) {  // among its data-values, or whole numbers; .chosen is one, .write() shows it in .words()
  const values = input.values = input.dataset.values?.split(' ').map(Number) ?? [...Array(+input.max + 1).keys()], output = input.parentElement.querySelector('output');
  Object.assign(input, {max: values.length - 1, words: String});
  input.write = () => input.setAttribute('aria-valuetext', output.textContent = input.words(input.chosen));
  Object.defineProperty(input, 'chosen', {get: () => values[input.value], set: v => { if (v !== input.chosen) { input.value = values.indexOf(v); input.write(); } }});
  input.addEventListener('input', input.write);
  input.write();
}

export function write(element, text) {  // only what is new: a screen reader listens
  if (element.textContent !== text) element.textContent = text;
}

// ---- pictures

const SCALE = '053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f'.split(' ').map(hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)));  // Brewer's RdBu

export function redBlue(v) {  // -1, blue, a seven; 1, red, a three
  const at = 5 + 5*clamp(v || 0, -1, 1), i = min(9, floor(at));
  return SCALE[i].map((c, k) => c + (SCALE[i + 1][k] - c)*(at - i));
}

export const grey = v => Array(3).fill(255*clamp(v));  // ink is white

export const ink = (c, name) => name[0] === '#' ? name : getComputedStyle(c.canvas).getPropertyValue(`--${name}`);  // or a colour itself

const pictures = [];  // painted again when the page turns dark
const repaint = () => requestAnimationFrame(() => pictures.forEach(canvas => canvas.draw()));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
for (const part of [document.documentElement, document.body]) new MutationObserver(repaint).observe(part, {attributes: true, attributeFilter: ['class', 'data-scheme', 'data-jp-theme-light']});

export function picture(canvas) {  // gives it .draw(paint, label), which calls paint(context, width, height), .pixels and .plot
  let [width, height] = canvas.dataset.size.split(' ').map(Number), last = () => {};
  if ('fill' in canvas.dataset) width = min(width, canvas.parentElement.clientWidth);
  const sharp = max(2, ceil(devicePixelRatio)), c = canvas.getContext('2d');
  Object.assign(canvas, {width: sharp*width, height: sharp*height, style: `width: ${width}px; aspect-ratio: ${width}/${height}`});
  canvas.draw = (paint = last, text) => {
    last = paint;
    if (text) canvas.setAttribute('aria-label', text);
    c.setTransform(sharp, 0, 0, sharp, 0, 0);
    c.clearRect(0, 0, width, height);
    paint(c, width, height);
  };
  canvas.pixels = (values, colours, text, strongest = 1, mark) => canvas.draw(() => {  // mark: the number of a pixel
    paintPixels(c, values.map(v => v/strongest), colours, width);
    Object.assign(c, {strokeStyle: '#1f9d55', lineWidth: 2});
    if (mark >= 0) c.strokeRect(mark % 28*width/28 - .5, floor(mark/28)*width/28 - .5, width/28 + 1, width/28 + 1);
  }, text);
  canvas.plot = (what, text) => canvas.draw(() => paintPlot(c, width, height, what), text);
  pictures.push(canvas);
}

const small = document.createElement('canvas');

export function paintPixels(c, values, colours, side, n = 28, smooth = false) {  // n x n of them; colours(value) is [r, g, b]
  small.width = small.height = n;
  const pen = small.getContext('2d'), image = pen.createImageData(n, n);
  values.forEach((v, i) => image.data.set([...colours(v), 255], 4*i));
  pen.putImageData(image, 0, 0);
  c.imageSmoothingEnabled = smooth;
  c.drawImage(small, 0, 0, side, side);
}

export function dot(c, x, y, radius) { c.beginPath(); c.arc(x, y, radius, 0, 7); c.fill(); }

function paintPlot(c, width, height, {lines, xlim, ylim, xlabel, ylabel = '', yticks = ylim, log}) {  // lines: [{points: [[x, y], …], colour, dots, width}]
  const [left, right, top, bottom] = [44, width - 18, 12, height - 34], f = log ? Math.log10 : v => v;
  const px = v => left + (v - xlim[0])/(xlim[1] - xlim[0] || 1)*(right - left), py = v => bottom - (f(v) - f(ylim[0]))/(f(ylim[1]) - f(ylim[0]) || 1)*(bottom - top);
  const write = (text, x, y, textAlign = 'center') => { c.textAlign = textAlign; c.fillText(text, x, y); }, number = v => v < 1e5 ? `${+v.toPrecision(4)}`.replace('-', '−') : `10${[...`${round(Math.log10(v))}`].map(n => '⁰¹²³⁴⁵⁶⁷⁸⁹'[n]).join('')}`;  // large ticks are powers of ten
  Object.assign(c, {font: '12px system-ui, sans-serif', textBaseline: 'middle', fillStyle: ink(c, 'w-line'), lineWidth: 1});
  for (const v of yticks) c.fillRect(left, py(v), right - left, 1);
  c.fillStyle = ink(c, 'w-soft');
  for (const v of yticks) write(number(v), left - 5, py(v), 'right');
  for (const v of xlim) write(number(v), px(v), bottom + 10);
  write(xlabel, (left + right)/2, bottom + 24);
  c.save(); c.translate(9, (top + bottom)/2); c.rotate(-Math.PI/2); write(ylabel, 0, 0); c.restore();
  c.save(); c.beginPath(); c.rect(left, top - 6, right - left + 6, bottom - top + 12); c.clip();
  for (const {points, colour, dots, width = 2} of lines) {
    c.strokeStyle = c.fillStyle = ink(c, colour); c.lineWidth = width; c.beginPath();
    for (const [x, y] of points) dots ? dot(c, px(x), py(y), dots) : c.lineTo(px(x), py(y));
    if (!dots) c.stroke();
  }
  c.restore();
}

export const formatPercent = p => p > .999 && p < 1 ? 'over 99.9%' : `${(100*p).toFixed(1)}%`;

// ---- time, and the address

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export class Clock {  // calls onframe(seconds since then) in each frame; twice a second where motion is unwelcome
  constructor(onframe) { this.onframe = onframe; this.running = false; }

  start() {
    if (this.running) return;
    this.running = true;
    this.last = performance.now();
    const frame = now => {
      if (!this.running) return;
      if (!calm() || now - this.last > 500) {
        this.onframe(clamp((now - this.last)/1000, 0, .5));
        this.last = now;
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  stop() { this.running = false; }
}

export function player(play, pace, step, begin = () => 0) {  // a button that plays, `pace` steps a second, and pauses
  let due;
  const clock = new Clock(seconds => { for (due += pace*seconds; due >= 1 && clock.running; due--) step(); });
  play.stop = () => { clock.stop(); play.textContent = 'Play'; };
  play.onclick = () => {
    if (clock.running) return play.stop();
    begin();
    due = 1;
    play.textContent = 'Pause';
    clock.start();
  };
}

export function once(paint) {  // in the next frame, however often it is called
  let asked = false;
  return () => {
    if (!asked) requestAnimationFrame(() => { asked = false; paint(); });
    asked = true;
  };
}

export function writeAddress(values) {  // {name: value}; null removes
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) value === null ? address.searchParams.delete(name) : address.searchParams.set(name, value);
  if (address.href !== location.href) history.replaceState(history.state, '', address);
}

// ---- strokes as text, for the address: tenths of a pixel, two bytes each

const SHARED = 4000;  // points at most

export function packStrokes(strokes, radius) {
  const numbers = [10*radius, ...strokes.flatMap(stroke => [stroke.length, ...stroke.flat().map(v => Math.round(10*v))])];
  const bytes = String.fromCharCode(...numbers.flatMap(n => [n >> 8, n & 255]));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function unpackStrokes(text) {  // {strokes, radius}; null for what is not of this form
  try {
    const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/')), strokes = [];
    const numbers = Array.from({length: bytes.length/2}, (_, i) => 256*bytes.charCodeAt(2*i) + bytes.charCodeAt(2*i + 1));
    const radius = numbers.shift()/10, inside = v => v >= radius && v <= Pad.size - 1 - radius;
    while (numbers.length) {
      const points = Array.from({length: numbers.shift()}, () => numbers.splice(0, 2).map(v => v/10));
      strokes.push(points);
    }
    const points = strokes.flat(), fine = [3, 5.5, 9].includes(radius) && points.length && points.length <= SHARED && strokes.every(stroke => stroke.length);
    return fine && points.every(point => point.length === 2 && point.every(inside)) ? {strokes, radius} : null;
  } catch { return null; }
}

// ---- pointing, and a pad to draw on

export function pointing(canvas, point, key) {  // while pressed, point(x, y, first) in shares of its sides; for a key, key(dx, dy, event)
  canvas.tabIndex = 0;
  const tell = (event, first) => {
    const box = canvas.getBoundingClientRect();
    point(clamp((event.clientX - box.left)/box.width), clamp((event.clientY - box.top)/box.height), first);
  };
  canvas.addEventListener('pointerdown', event => {
    if (event.button || !event.isPrimary) return;
    event.preventDefault();
    canvas.focus({preventScroll: true});
    canvas.setPointerCapture(event.pointerId);
    tell(event, true);
  });
  canvas.addEventListener('pointermove', event => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const moves = event.getCoalescedEvents?.() ?? [];  // between two frames
    for (const move of moves.length ? moves : [event]) tell(move, false);
  });
  canvas.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (arrow || [' ', 'Backspace', 'Delete'].includes(event.key)) event.preventDefault();
    if (event.repeat && !arrow) return;
    key(...(arrow ?? [0, 0]).map(v => v*(event.shiftKey ? .2 : 1)), event);
  });
}

export class Pad {  // strokes of a pen; .ink is size x size, 0 is paper
  static size = 140;
  strokes = [];
  ink = new Float32Array(Pad.size**2);
  pen = [70, 70];
  down = false;  // the keyboard's pen
  keys = true;  // whether it is to be seen
  paint = once(() => this.canvas.draw((c, side) => this.paintNow(c, side)));

  constructor(canvas, onchange, radius = 5.5) {
    Object.assign(this, {canvas, onchange, radius});
    const within = v => clamp(v, radius, Pad.size - 1 - radius);  // the whole pen stays on the paper
    pointing(canvas, (x, y, first) => {
      const point = [x, y].map(v => within(Math.round(10*v*Pad.size - 5)/10));
      this.down = this.keys = false;
      first ? this.begin(point) : this.extend(point);
    }, (dx, dy, {key}) => {
      this.keys = true;
      this.pen = [this.pen[0] + 5*dx, this.pen[1] + 5*dy].map(within);
      if (this.down && (dx || dy)) this.extend(this.pen);
      if (key === ' ') {
        this.down = !this.down;
        if (this.down) this.begin(this.pen);
        this.onpen?.(this.down);
      }
      if (key === 'Backspace') this.undo();
      if (key === 'Delete') this.clear();
      this.paint();
    });
    canvas.onfocus = this.paint;
    canvas.onblur = () => { this.down = false; this.keys = true; this.paint(); };
    this.paint();
  }

  begin(point) { this.strokes.push([]); this.extend(point); }

  extend(point) {
    if (this.empty) return;  // cleared meanwhile
    const stroke = this.strokes.at(-1), last = stroke.at(-1) ?? point;
    if (stroke.length && `${last}` === `${point}`) return;
    stroke.push(point);
    addSegment(this.ink, Pad.size, last, point, this.radius);
    this.paint(); this.onchange(this);
  }

  set(strokes) {  // draws these instead
    this.down = false;
    this.strokes = strokes.map(stroke => [...stroke]);
    this.ink = drawStrokes(strokes, Pad.size, this.radius);
    this.paint(); this.onchange(this);
  }

  undo() {  // the last stroke, or the last Clear
    const before = this.empty ? this.cleared ?? [] : this.strokes.slice(0, -1);
    this.cleared = null;
    this.set(before);
  }

  clear() {
    this.cleared = this.strokes;
    this.set([]);
  }

  get empty() { return !this.strokes.length; }

  get pixels() { return this.ink.map(v => 1 - v); }

  paintStrokes(c, side) {
    c.fillStyle = '#fff'; c.fillRect(0, 0, side, side);
    c.scale(side/Pad.size, side/Pad.size); c.translate(.5, .5);
    Object.assign(c, {lineCap: 'round', lineJoin: 'round', lineWidth: 2*this.radius, strokeStyle: '#111'});
    for (const stroke of this.strokes) {
      c.beginPath();
      for (const [x, y] of [stroke[0].map(v => v + .01), ...stroke]) c.lineTo(x, y);  // a single point too is a line
      c.stroke();
    }
  }

  paintNow(c, side) {
    this.paintStrokes(c, side);
    this.overlay?.(c);
    if (!this.keys || !this.canvas.matches(':focus-visible')) return;
    c.lineWidth = 1.5; c.strokeStyle = this.down ? '#b2182b' : '#1f6f3f';  // where the keyboard's pen is
    c.beginPath(); c.arc(...this.pen, this.radius + 1.5, 0, 7); c.stroke();
  }
}
