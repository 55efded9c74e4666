// What the widgets share besides mathematics: controls, pictures, a pad to draw on, a clock, and the page's address.
//
// A widget is a file with one function, `export default function (root, options)`, which fills the element it is given.

import {addSegment, drawStrokes} from './maths.js';

// ---- starting

export async function start() {  // every widget on the page that is not alive yet
  if (!document.getElementById('widgets-css')) document.head.append(el('link', {id: 'widgets-css', rel: 'stylesheet', href: new URL('widgets.css', import.meta.url).href}));
  for (const root of document.querySelectorAll('.widget:not(.on)')) {
    root.classList.add('on');
    const words = [...root.childNodes];
    try {
      const {default: widget} = await import(new URL(`${root.dataset.widget}.js`, import.meta.url));
      root.replaceChildren();
      await widget(root, JSON.parse(root.dataset.options || '{}'));
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
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && key !== 'list') element[key] = value; else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export const row = (...children) => el('div', {className: 'widget-row'}, ...children);

export const column = (...children) => el('div', {className: 'widget-column'}, ...children);

export const button = (text, onclick, more = {}) => el('button', {type: 'button', textContent: text, onclick, ...more});

export function slider(label, values, value, onchange, show = String) {  // chooses among values; .value is the chosen one
  const at = v => values.reduce((best, w, i) => Math.abs(w - v) < Math.abs(values[best] - v) ? i : best, 0);
  const input = el('input', {type: 'range', 'aria-label': label, min: 0, max: values.length - 1, step: 1}), output = el('output');
  const write = () => { output.textContent = show(values[input.value]); input.setAttribute('aria-valuetext', output.textContent); };
  input.addEventListener('input', () => { write(); onchange(values[input.value]); });
  const control = el('label', {className: 'widget-control'}, el('span', {}, label, ' ', output), input);
  Object.defineProperty(control, 'value', {get: () => values[input.value], set: v => { input.value = at(v); write(); }});
  control.value = value;
  return control;
}

export function choice(label, options, value, onchange) {  // options: {value: text}
  const select = el('select', {onchange: () => onchange(select.value)}, ...Object.entries(options).map(([value, textContent]) => el('option', {value, textContent})));
  const control = el('label', {className: 'widget-control'}, el('span', {textContent: label}), select);
  Object.defineProperty(control, 'value', {get: () => select.value, set: v => { select.value = v; }});
  control.value = value;
  return control;
}

export function tick(label, checked, onchange) {
  const input = el('input', {type: 'checkbox', checked, onchange: () => onchange(input.checked)});
  const control = el('label', {className: 'widget-tick'}, input, ' ', label);
  Object.defineProperty(control, 'checked', {get: () => input.checked, set: v => { input.checked = v; }});
  return control;
}

// ---- pictures

const SCALE = ['053061', '2166ac', '4393c3', '92c5de', 'd1e5f0', 'f7f7f7', 'fddbc7', 'f4a582', 'd6604d', 'b2182b', '67001f']  // Cynthia Brewer's RdBu, as in the figures
  .map(hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)));

export function redBlue(v) {  // from -1, blue, for a seven, to 1, red, for a three
  const at = 5 + 5*Math.max(-1, Math.min(1, v || 0)), i = Math.min(9, Math.floor(at));
  return SCALE[i].map((c, k) => c + (SCALE[i + 1][k] - c)*(at - i));
}

export const grey = v => { const c = 255*Math.max(0, Math.min(1, v)); return [c, c, c]; };  // ink is white, as in the figures

export function colour(root, name) { return getComputedStyle(root).getPropertyValue(`--${name}`).trim(); }  // of widgets.css

export function picture(label, width, height = width) {  // a sharp canvas; .draw(paint) calls paint(context, width, height), again when the colours of the page change
  const canvas = el('canvas', {className: 'widget-picture'}), sharp = Math.max(2, Math.ceil(devicePixelRatio || 1));
  Object.assign(canvas, {width: sharp*width, height: sharp*height});
  Object.assign(canvas.style, {width: `${width}px`, aspectRatio: `${width}/${height}`});
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', label);
  const context = canvas.getContext('2d');
  let last = () => {};
  canvas.draw = (paint, text) => {
    last = paint;
    if (text) canvas.setAttribute('aria-label', text);
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.clearRect(0, 0, width, height);
    paint(context, width, height);
  };
  onColours(() => canvas.draw(last));
  return canvas;
}

export function captioned(canvas, text) {  // .caption is the element with the words
  const caption = el('figcaption', {}, text);
  return Object.assign(el('figure', {className: 'widget-figure'}, caption, canvas), {caption, canvas});
}

const small = Object.assign(document.createElement('canvas'), {width: 28, height: 28});

export function paintPixels(context, values, colours, x, y, side, n = 28, smooth = false) {  // a picture of n x n values, side x side large; colours(value) is [r, g, b]
  small.width = small.height = n;
  const image = small.getContext('2d').createImageData(n, n);
  values.forEach((v, i) => image.data.set([...colours(v), 255], 4*i));
  small.getContext('2d').putImageData(image, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.drawImage(small, x, y, side, side);
}

export function paintPlot(context, width, height, root, {lines, xlim, ylim, xlabel = '', ylabel = '', yticks = ylim, xticks = xlim, log = false}) {  // lines: [{points: [[x, y], …], colour, dash, dots}]; gives the map from values to pixels
  const [left, right, top, bottom] = [44, width - 10, 12, height - 34], f = log ? Math.log10 : v => v;
  const px = v => left + (v - xlim[0])/(xlim[1] - xlim[0] || 1)*(right - left);
  const py = v => bottom - (f(v) - f(ylim[0]))/(f(ylim[1]) - f(ylim[0]) || 1)*(bottom - top);
  context.font = '12px system-ui, sans-serif';
  context.strokeStyle = colour(root, 'w-line'); context.fillStyle = colour(root, 'w-soft'); context.lineWidth = 1;
  context.textAlign = 'right'; context.textBaseline = 'middle';
  for (const v of yticks) {
    context.beginPath(); context.moveTo(left, py(v)); context.lineTo(right, py(v)); context.stroke();
    context.fillText(`${+v.toPrecision(3)}`, left - 5, py(v));
  }
  context.textAlign = 'center'; context.textBaseline = 'top';
  for (const v of xticks) context.fillText(`${+v.toPrecision(4)}`, px(v), bottom + 4);
  context.fillText(xlabel, (left + right)/2, bottom + 17);
  context.save(); context.translate(9, (top + bottom)/2); context.rotate(-Math.PI/2); context.textBaseline = 'middle'; context.fillText(ylabel, 0, 0); context.restore();
  context.save(); context.beginPath(); context.rect(left, top - 6, right - left + 6, bottom - top + 12); context.clip();
  for (const {points, colour: stroke, dash = [], dots = 0, width: lineWidth = 2} of lines) {
    context.strokeStyle = context.fillStyle = stroke; context.lineWidth = lineWidth; context.setLineDash(dash); context.beginPath();
    for (const [x, y] of points) dots ? (context.moveTo(px(x), py(y)), context.arc(px(x), py(y), dots, 0, 7)) : context.lineTo(px(x), py(y));
    dots ? context.fill() : context.stroke();
  }
  context.restore(); context.setLineDash([]);
  return {px, py, vx: p => xlim[0] + (p - left)/(right - left)*(xlim[1] - xlim[0]), vy: p => f(ylim[0]) + (bottom - p)/(bottom - top)*(f(ylim[1]) - f(ylim[0]))};
}

const painters = [];
const onColours = repaint => painters.push(repaint);
const repaint = () => requestAnimationFrame(() => painters.forEach(paint => paint()));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
for (const part of [document.documentElement, document.body]) new MutationObserver(repaint).observe(part, {attributes: true, attributeFilter: ['class', 'data-scheme', 'data-jp-theme-light']});

export const formatPercent = p => `${(100*p).toFixed(1)}%`;

// ---- time

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export class Clock {  // calls onframe(seconds since the last call) until it is stopped; twice a second where motion is unwelcome
  constructor(onframe) { this.onframe = onframe; this.running = false; }

  start() {
    if (this.running) return;
    this.running = true;
    this.last = performance.now();
    const frame = now => {
      if (!this.running) return;
      if (!calm() || now - this.last > 500) {
        this.onframe(Math.max(0, Math.min(.5, (now - this.last)/1000)));
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
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; paint(); });
  };
}

// ---- the address of the page

export const readAddress = () => new URLSearchParams(location.search);  // what it asks for, from anybody: check each value

export function writeAddress(values) {  // {name: value}; null removes
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) value === null ? address.searchParams.delete(name) : address.searchParams.set(name, value);
  if (address.href !== location.href) history.replaceState(history.state, '', address);
}

// ---- a picture to point at

export function pointing(canvas, point, key) {  // while it is pressed, point(x, y, first) in shares of its sides; for a key, key(dx, dy, event), steps of an arrow or nothing
  canvas.tabIndex = 0;
  canvas.classList.add('widget-pad');
  canvas.setAttribute('role', 'application');
  const tell = (event, first) => {
    const box = canvas.getBoundingClientRect(), share = v => Math.max(0, Math.min(1, v));
    point(share((event.clientX - box.left)/box.width), share((event.clientY - box.top)/box.height), first);
  };
  canvas.addEventListener('pointerdown', event => {
    if (event.button || !event.isPrimary) return;
    event.preventDefault();
    canvas.focus({preventScroll: true});
    canvas.setPointerCapture(event.pointerId);
    tell(event, true);
  });
  canvas.addEventListener('pointermove', event => { if (canvas.hasPointerCapture(event.pointerId)) tell(event, false); });
  canvas.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (arrow || event.key === ' ' || event.key === 'Backspace') event.preventDefault();
    key(...(arrow ?? [0, 0]).map(v => v*(event.shiftKey ? .2 : 1)), event);
  });
}

// ---- a pad to draw on

export class Pad {  // strokes of a pen, by mouse, finger, stylus or keyboard; .ink is size x size, 0 is paper
  static size = 140;

  constructor(onchange, {radius = 5.5, side = 280, label = 'Drawing pad'} = {}) {
    Object.assign(this, {onchange, radius, side, strokes: [], ink: new Float32Array(Pad.size**2), pen: [70, 70], down: false, overlay: null});
    this.canvas = picture(label, side);
    this.canvas.classList.add('widget-pad');
    this.canvas.setAttribute('role', 'application');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('aria-description', 'Draw with mouse, finger or stylus. By keyboard: arrows move the pen, with Shift by small steps; Space lowers and lifts it; Backspace takes the last stroke back; Delete clears.');
    this.help = el('p', {className: 'widget-help', textContent: 'Keyboard: arrows move the pen, Space lowers and lifts it, Backspace undoes, Delete clears.'});
    this.listen();
    this.paint = once(() => this.paintNow());
    this.paint();
  }

  listen() {
    const canvas = this.canvas, at = event => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left)/box.width, (event.clientY - box.top)/box.height].map(v => Math.round(10*v*Pad.size - 5)/10);
    };
    canvas.addEventListener('pointerdown', event => {
      if (event.button) return;
      event.preventDefault();
      canvas.focus({preventScroll: true});
      canvas.setPointerCapture(event.pointerId);
      this.lift(); this.pointer = event.pointerId;
      this.begin(at(event));
    });
    canvas.addEventListener('pointermove', event => {
      if (this.pointer !== event.pointerId) return;
      const moves = event.getCoalescedEvents?.() ?? [];
      (moves.length ? moves : [event]).forEach(move => this.extend(at(move)));
    });
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) canvas.addEventListener(end, event => { if (this.pointer === event.pointerId) this.pointer = undefined; });
    canvas.addEventListener('keydown', event => this.key(event));
    canvas.addEventListener('focus', () => this.paint());
    canvas.addEventListener('blur', () => { this.lift(); this.paint(); });
  }

  key(event) {
    const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) {
      this.pen = this.pen.map((v, i) => Math.max(0, Math.min(Pad.size - 1, v + move[i]*(event.shiftKey ? 1 : 5))));
      if (this.down) this.extend(this.pen);
    } else if (event.key === ' ') {
      if (this.down) this.lift(); else { this.down = true; this.begin(this.pen); }
    } else if (event.key === 'Backspace') this.undo();
    else if (event.key === 'Delete') this.clear();
    else return;
    event.preventDefault();
    this.byKey = true;
    this.paint();
  }

  lift() { this.down = false; this.byKey = false; }

  begin(point) { this.strokes.push([]); this.extend(point); }

  extend(point) {
    const stroke = this.strokes.at(-1), last = stroke.at(-1) ?? point;
    if (stroke.length && last[0] === point[0] && last[1] === point[1]) return;
    stroke.push(point);
    addSegment(this.ink, Pad.size, last, point, this.radius);
    this.paint(); this.onchange(this);
  }

  set(strokes) {  // draws these instead
    this.lift();
    this.strokes = strokes.map(stroke => stroke.map(point => [...point]));
    this.ink = drawStrokes(this.strokes, Pad.size, this.radius);
    this.paint(); this.onchange(this);
  }

  undo() { this.set(this.strokes.slice(0, -1)); }

  clear() { this.set([]); }

  get empty() { return !this.strokes.length; }

  get pixels() { return this.ink.map(v => 1 - v); }  // as a picture: dark ink on white paper

  paintNow() {
    this.canvas.draw((context, side) => {
      context.fillStyle = '#fff'; context.fillRect(0, 0, side, side);
      context.scale(side/Pad.size, side/Pad.size); context.translate(.5, .5);
      context.lineCap = context.lineJoin = 'round'; context.lineWidth = 2*this.radius; context.strokeStyle = '#111';
      for (const stroke of this.strokes) {
        context.beginPath();
        stroke.forEach(([x, y]) => context.lineTo(x, y));
        if (stroke.length === 1) context.lineTo(stroke[0][0] + .01, stroke[0][1]);
        context.stroke();
      }
      this.overlay?.(context);
      if (document.activeElement === this.canvas && this.pointer === undefined) {  // where the keyboard's pen is
        context.lineWidth = 1.5; context.strokeStyle = this.down ? '#b2182b' : '#1f6f3f';
        context.beginPath(); context.arc(...this.pen, this.radius + 1.5, 0, 7); context.stroke();
      }
    });
  }
}
