// What the widgets share besides mathematics: controls, pictures, a pad to draw on, a clock, and the page's address.
//
// A widget is a file with one function, `export default function (root, options)`, which fills the element it is given.

import {addSegment, clamp, drawStrokes} from './maths.js';

const {ceil, floor, max, min} = Math;

// ---- starting

export async function start() {  // every widget on the page that is not alive yet
  if (!document.getElementById('widgets-css')) document.head.append(el('link', {id: 'widgets-css', rel: 'stylesheet', href: new URL('widgets.css', import.meta.url).href}));
  for (const root of document.querySelectorAll('.widget:not(.on)')) {
    const words = [...root.childNodes];
    root.classList.add('on');
    root.replaceChildren();
    try {
      await (await import(`./${root.dataset.widget}.js`)).default(root, JSON.parse(root.dataset.options || '{}'));
      root.dataset.ready = 'yes';
    } catch (error) {  // the still picture and its sentence come back
      root.replaceChildren(...words);
      root.classList.replace('on', 'failed');
      throw error;
    }
  }
}

export async function load(name) {  // a file beside this one: JSON, or deflated bytes
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw Error(`${name}: ${answer.status}`);
  if (name.endsWith('.json')) return answer.json();
  return new Uint8Array(await new Response(answer.body.pipeThrough(new DecompressionStream('deflate'))).arrayBuffer());
}

export async function loadLinear() {  // the line that ships
  const {w, b} = await load('linear.json');
  return {w: Float64Array.from(w), b};
}

export async function loadDigits() {  // some hundreds of real threes and sevens: {train, valid}, each {x, y, n}
  const [bytes, {labels, train}] = await Promise.all([load('digits.bin'), load('digits.json')]);
  const part = (from, to) => ({n: to - from, x: Float64Array.from(bytes.subarray(784*from, 784*to), v => v/255), y: Float64Array.from(labels.slice(from, to), l => +(l === '3'))});
  return {train: part(0, train), valid: part(train, labels.length)};
}

// ---- elements

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) key in element ? element[key] = value : element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const row = (...children) => el('div', {className: 'widget-row'}, ...children);

export const column = (...children) => el('div', {className: 'widget-column'}, ...children);

export const button = (text, onclick, more) => el('button', {type: 'button', textContent: text, onclick, ...more});

const valued = (control, get, set) => Object.defineProperty(control, 'value', {get, set});

export function slider(label, values, value, onchange, show = String) {  // chooses among values; .value is the chosen one
  const nearest = v => values.reduce((best, w, i) => Math.abs(w - v) < Math.abs(values[best] - v) ? i : best, 0);
  const input = el('input', {type: 'range', 'aria-label': label, min: 0, max: values.length - 1}), output = el('output');
  const write = () => { output.textContent = show(values[input.value]); input.setAttribute('aria-valuetext', output.textContent); };
  input.oninput = () => { write(); onchange(values[input.value]); };
  const control = valued(el('label', {className: 'widget-control'}, el('span', {}, `${label} `, output), input), () => values[input.value], v => { input.value = nearest(v); write(); });
  control.value = value;
  return control;
}

export function choice(label, options, value, onchange) {  // options: {value: text}
  const select = el('select', {onchange: () => onchange(select.value)}, ...Object.entries(options).map(([value, textContent]) => el('option', {value, textContent})));
  select.value = value;
  return valued(el('label', {className: 'widget-control'}, el('span', {}, label), select), () => select.value, v => { select.value = v; });
}

export function tick(label, checked, onchange) {  // .value is whether it is ticked
  const input = el('input', {type: 'checkbox', checked, onchange: () => onchange(input.checked)});
  return valued(el('label', {className: 'widget-tick'}, input, ` ${label}`), () => input.checked, v => { input.checked = v; });
}

export class Spoken {  // tells a screen reader what has come of it, once things have settled
  element = el('p', {className: 'widget-spoken', 'aria-live': 'polite'});

  say(text) {
    clearTimeout(this.later);
    this.later = setTimeout(() => { this.element.textContent = text; }, 700);
  }
}

// ---- pictures

const SCALE = ['053061', '2166ac', '4393c3', '92c5de', 'd1e5f0', 'f7f7f7', 'fddbc7', 'f4a582', 'd6604d', 'b2182b', '67001f']  // Cynthia Brewer's RdBu, as in the figures
  .map(hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)));

export function redBlue(v) {  // from -1, blue, for a seven, to 1, red, for a three
  const at = 5 + 5*clamp(v || 0, -1, 1), i = min(9, floor(at));
  return SCALE[i].map((c, k) => c + (SCALE[i + 1][k] - c)*(at - i));
}

export const grey = v => Array(3).fill(255*clamp(v));  // ink is white, as in the figures

export const colour = (root, name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();  // of widgets.css

const pictures = [];  // to be painted again when the colours of the page change
const repaint = () => requestAnimationFrame(() => pictures.forEach(canvas => canvas.draw()));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
for (const part of [document.documentElement, document.body]) new MutationObserver(repaint).observe(part, {attributes: true, attributeFilter: ['class', 'data-scheme', 'data-jp-theme-light']});

export function picture(label, width, height = width) {  // a sharp canvas; .draw(paint, label) calls paint(context, width, height)
  const sharp = max(2, ceil(devicePixelRatio)), canvas = el('canvas', {className: 'widget-picture', width: sharp*width, height: sharp*height, role: 'img', 'aria-label': label});
  const context = canvas.getContext('2d');
  Object.assign(canvas.style, {width: `${width}px`, aspectRatio: `${width}/${height}`});
  let last = () => {};
  canvas.draw = (paint = last, text) => {
    last = paint;
    if (text) canvas.setAttribute('aria-label', text);
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.clearRect(0, 0, width, height);
    paint(context, width, height);
  };
  pictures.push(canvas);
  return canvas;
}

export function captioned(canvas, text) {  // .caption is the element with the words
  const caption = el('figcaption', {}, text);
  return Object.assign(el('figure', {className: 'widget-figure'}, caption, canvas), {caption, canvas});
}

const small = document.createElement('canvas');

export function paintPixels(c, values, colours, x, y, side, n = 28, smooth = false) {  // n x n values as a picture, side x side large; colours(value) is [r, g, b]
  small.width = small.height = n;
  const pen = small.getContext('2d'), image = pen.createImageData(n, n);
  values.forEach((v, i) => image.data.set([...colours(v), 255], 4*i));
  pen.putImageData(image, 0, 0);
  c.imageSmoothingEnabled = smooth;
  c.drawImage(small, x, y, side, side);
  c.strokeStyle = 'rgb(128 128 128/.4)'; c.lineWidth = 1; c.strokeRect(x + .5, y + .5, side - 1, side - 1);
}

export function paintPlot(c, width, height, root, {lines, xlim, ylim, xlabel = '', ylabel = '', yticks = ylim, xticks = xlim, log = false}) {  // lines: [{points: [[x, y], …], colour, dash, dots, width}]; gives the maps to pixels, px and py
  const [left, right, top, bottom] = [44, width - 10, 12, height - 34], f = log ? Math.log10 : v => v;
  const px = v => left + (v - xlim[0])/(xlim[1] - xlim[0] || 1)*(right - left), py = v => bottom - (f(v) - f(ylim[0]))/(f(ylim[1]) - f(ylim[0]) || 1)*(bottom - top);
  const write = (text, x, y, align, turn = 0) => { c.save(); c.translate(x, y); c.rotate(turn); c.textAlign = align; c.fillText(text, 0, 0); c.restore(); };
  const number = v => `${+v.toPrecision(4)}`.replace('-', '−');
  Object.assign(c, {font: '12px system-ui, sans-serif', textBaseline: 'middle', strokeStyle: colour(root, 'w-line'), fillStyle: colour(root, 'w-soft'), lineWidth: 1});
  for (const v of yticks) { c.beginPath(); c.moveTo(left, py(v)); c.lineTo(right, py(v)); c.stroke(); write(number(v), left - 5, py(v), 'right'); }
  for (const v of xticks) write(number(v), px(v), bottom + 10, 'center');
  write(xlabel, (left + right)/2, bottom + 24, 'center');
  write(ylabel, 9, (top + bottom)/2, 'center', -Math.PI/2);
  c.save(); c.beginPath(); c.rect(left, top - 6, right - left + 6, bottom - top + 12); c.clip();
  for (const {points, colour, dash = [], dots = 0, width = 2} of lines) {
    Object.assign(c, {strokeStyle: colour, fillStyle: colour, lineWidth: width}); c.setLineDash(dash); c.beginPath();
    for (const [x, y] of points) dots ? (c.moveTo(px(x), py(y)), c.arc(px(x), py(y), dots, 0, 7)) : c.lineTo(px(x), py(y));
    dots ? c.fill() : c.stroke();
  }
  c.restore();
  return {px, py};
}

export const formatPercent = p => p > .999 && p < 1 ? 'over 99.9%' : `${(100*p).toFixed(1)}%`;

// ---- time

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export class Clock {  // calls onframe(seconds since the last call) until it is stopped; twice a second where motion is unwelcome
  constructor(onframe) { this.onframe = onframe; this.running = false; }

  start() {
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

export function player(pace, step, begin = () => 0) {  // a button that plays, `pace` steps a second, and pauses; with .stop()
  let due;
  const clock = new Clock(seconds => { for (due += pace*seconds; due >= 1 && clock.running; due--) step(); });
  const play = button('Play', () => {
    if (clock.running) return play.stop();
    begin();
    due = 1;
    play.textContent = 'Pause';
    clock.start();
  });
  return Object.assign(play, {stop() { clock.stop(); play.textContent = 'Play'; }});
}

export function once(paint) {  // however often it is called, paint runs once, in the next frame
  let asked = false;
  return () => {
    if (!asked) requestAnimationFrame(() => { asked = false; paint(); });
    asked = true;
  };
}

// ---- the address of the page

export const readAddress = () => new URLSearchParams(location.search);  // what it asks for, from anybody: check each value

export function writeAddress(values) {  // {name: value}; null removes
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) value === null ? address.searchParams.delete(name) : address.searchParams.set(name, value);
  address.search = address.search.replace(/(?<==[^&]*)%(3A|3D|2C)/g, decodeURIComponent);  // : = , stay legible in a value
  if (address.href !== location.href) history.replaceState(history.state, '', address);
}

// ---- pointing, and a pad to draw on

export function pointing(canvas, point, key) {  // while it is pressed, point(x, y, first) in shares of its sides; for a key, key(dx, dy, event), steps of an arrow or nothing
  canvas.tabIndex = 0;
  canvas.classList.add('widget-pad');
  canvas.setAttribute('role', 'application');
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
    key(...(arrow ?? [0, 0]).map(v => v*(event.shiftKey ? .2 : 1)), event);
  });
}

export class Pad {  // strokes of a pen, by mouse, finger, stylus or keyboard; .ink is size x size, 0 is paper
  static size = 140;
  strokes = [];
  ink = new Float32Array(Pad.size**2);
  pen = [70, 70];
  down = false;  // the keyboard's pen
  help = el('p', {className: 'widget-help'}, 'Keyboard: arrows move the pen, with Shift by small steps; Space lowers and lifts it, Backspace undoes, Delete clears.');

  constructor(onchange, {radius = 5.5, side = 280, label = 'Drawing pad'} = {}) {
    Object.assign(this, {onchange, radius, canvas: picture(label, side), paint: once(() => this.canvas.draw((c, side) => this.paintNow(c, side)))});
    this.canvas.setAttribute('aria-description', this.help.textContent);
    const within = v => clamp(v, radius, Pad.size - 1 - radius);  // the whole width of the pen stays on the paper
    pointing(this.canvas, (x, y, first) => {
      const point = [x, y].map(v => within(Math.round(10*v*Pad.size - 5)/10));
      this.down = false;
      first ? this.begin(point) : this.extend(point);
    }, (dx, dy, {key}) => {
      this.pen = [this.pen[0] + 5*dx, this.pen[1] + 5*dy].map(within);
      if (this.down && (dx || dy)) this.extend(this.pen);
      if (key === ' ' && (this.down = !this.down)) this.begin(this.pen);
      if (key === 'Backspace') this.undo();
      if (key === 'Delete') this.clear();
      this.paint();
    });
    this.canvas.addEventListener('focus', this.paint);
    this.canvas.addEventListener('blur', () => { this.down = false; this.paint(); });
    this.paint();
  }

  begin(point) { this.strokes.push([]); this.extend(point); }

  extend(point) {
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

  undo() { this.set(this.strokes.slice(0, -1)); }

  clear() { this.set([]); }

  get empty() { return !this.strokes.length; }

  get pixels() { return this.ink.map(v => 1 - v); }  // as a picture: dark ink on white paper

  paintNow(c, side) {
    c.fillStyle = '#fff'; c.fillRect(0, 0, side, side);
    c.scale(side/Pad.size, side/Pad.size); c.translate(.5, .5);
    Object.assign(c, {lineCap: 'round', lineJoin: 'round', lineWidth: 2*this.radius, strokeStyle: '#111'});
    for (const stroke of this.strokes) {
      c.beginPath();
      for (const [x, y] of [stroke[0].map(v => v + .01), ...stroke]) c.lineTo(x, y);  // a single point too is a line
      c.stroke();
    }
    this.overlay?.(c);
    if (!this.canvas.matches(':focus-visible')) return;
    c.lineWidth = 1.5; c.strokeStyle = this.down ? '#b2182b' : '#1f6f3f';  // where the keyboard's pen is
    c.beginPath(); c.arc(...this.pen, this.radius + 1.5, 0, 7); c.stroke();
  }
}
