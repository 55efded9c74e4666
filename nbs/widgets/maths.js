// The mathematics of the pages that learn: what the package does, under the same names. A matrix is an array, row after row.
// tests/test_widgets.py fails where the two differ.

const {PI, abs, ceil, cos, exp, floor, hypot, imul, log, log1p, max, min, round, sqrt} = Math;

export const clamp = (v, low = 0, high = 1) => max(low, min(high, v));

const sum = values => values.reduce((a, b) => a + b, 0);

// ---- random numbers

export class Random {  // mulberry32 (Tommy Ettinger, 2017): the same in every browser
  constructor(seed) { this.state = seed >>> 0; }

  uniform() {  // in [0, 1)
    this.state = (this.state + 0x6D2B79F5) >>> 0;
    let t = this.state;
    t = imul(t ^ t >>> 15, t | 1);
    t ^= t + imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0)/2**32;
  }

  normal() { return sqrt(-2*log(1 - this.uniform()))*cos(2*PI*this.uniform()); }  // Box and Muller (1958)

  permutation(n) {  // Fisher and Yates
    const order = new Uint32Array(n).map((_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = floor(this.uniform()*(i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

// ---- the linear model (03_linear): {w: Float64Array(n), b: a number}

export function initLinear(seed, n = 784, scale = 1) {
  const random = new Random(seed);
  return {w: Float64Array.from({length: n}, () => scale*random.normal()), b: scale*random.normal()};
}

export function logits({w, b}, x, rows) {  // of some rows of x, or of all
  const n = w.length, count = rows ? rows.length : x.length/n, z = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const start = (rows ? rows[i] : i)*n;
    z[i] = b;
    for (let j = 0; j < n; j++) z[i] += w[j]*x[start + j];
  }
  return z;
}

export const sigmoid = z => 1/(1 + exp(-z));

const logSigmoid = z => min(z, 0) - log1p(exp(-abs(z)));  // without overflow

const each = (z, y, term) => z.map((zi, i) => term(zi, y[i])/z.length);

export const LOSSES = {  // of logits and labels (1 is a three), with the derivative in each logit
  mnist_loss: {
    loss: (z, y) => sum(each(z, y, (z, y) => abs(y - sigmoid(z)))),
    grad: (z, y) => each(z, y, (z, y) => (sigmoid(z) < y ? -1 : 1)*sigmoid(z)*(1 - sigmoid(z))),
  },
  bce_loss: {
    loss: (z, y) => sum(each(z, y, (z, y) => -y*logSigmoid(z) - (1 - y)*logSigmoid(-z))),
    grad: (z, y) => each(z, y, (z, y) => sigmoid(z) - y),
  },
};

export function backward(x, dlogits, n, rows) {
  const w = new Float64Array(n);
  dlogits.forEach((d, i) => {
    const start = (rows ? rows[i] : i)*n;
    for (let j = 0; j < n; j++) w[j] += d*x[start + j];
  });
  return {w, b: sum(dlogits)};
}

export function sgdStep(model, grad, lr) {
  for (let j = 0; j < model.w.length; j++) model.w[j] -= lr*grad.w[j];
  model.b -= lr*grad.b;
}

export const evidence = ({w}, x) => w.map((wj, j) => wj*x[j]);  // of one image (24_explain)

export const countErrors = (z, y) => sum(z.map((zi, i) => zi > 0 !== y[i] > .5));

export function wilson(errors, n, q = 1.959963984540054) {  // 95% interval of a share (05_evaluate)
  const lower = e => (e + q*q/2 - q*sqrt(e*(n - e)/n + q*q/4))/(n + q*q);
  return [lower(errors), 1 - lower(n - errors)];
}

// ---- training (04_train)

export class Trainer {  // the loop of `fit`, a step at a time; settings may change after some: {120: {lr: .01}}
  constructor({train, valid}, start, changes = {}) {  // start: {lr, bs, loss, scale, seed, shuffle}
    const order = Uint32Array.from(train.y.keys()).sort((a, b) => train.y[b] - train.y[a] || a - b);  // threes first
    Object.assign(this, {train, valid, start, changes, order, settings: {...start}, model: initLinear(start.seed, 784, start.scale), random: new Random(start.seed), left: [], seen: 0, curve: []});
    this.judge();
  }

  get steps() { return this.curve.length - 1; }

  change(name, value) {  // from now on; nothing else will change later
    for (const at in this.changes) if (at > this.steps) delete this.changes[at];
    this.settings[name] = (this.changes[this.steps] ??= {})[name] = value;
  }

  step() {
    const {lr, bs, loss, shuffle} = this.settings, {x, y, n} = this.train;
    if (!this.left.length || shuffle !== this.shuffle) this.left = shuffle ? this.random.permutation(n) : this.order;  // an epoch begins
    const rows = this.left.subarray(0, bs), yb = Float64Array.from(rows, row => y[row]), z = logits(this.model, x, rows);
    sgdStep(this.model, backward(x, LOSSES[loss].grad(z, yb), 784, rows), lr);
    Object.assign(this, {shuffle, left: this.left.subarray(bs), seen: this.seen + rows.length});
    this.judge(LOSSES[loss].loss(z, yb));
  }

  judge(batch) {  // by the images held back
    const {x, y} = this.valid, z = logits(this.model, x);
    this.curve.push({batch, loss: LOSSES[this.settings.loss].loss(z, y), errors: countErrors(z, y)});
    this.z = z;
    Object.assign(this.settings, this.changes[this.steps]);
  }
}

// ---- a hidden layer (10_nets)

class Mlp {  // each hidden unit is a linear model, cut off below zero; on top is another
  constructor(units, top) { Object.assign(this, {units, top}); }

  hiddenLayer(x) {
    const z = this.units.map(unit => logits(unit, x)), k = z.length;
    return Float64Array.from({length: k*z[0].length}, (_, i) => max(0, z[i % k][floor(i/k)]));
  }

  logits(x) { return logits(this.top, this.hiddenLayer(x)); }

  backward(x, dlogits) {  // no gradient goes back through a unit that was cut off
    const {units, top} = this, h = this.hiddenLayer(x), k = units.length;
    return new Mlp(units.map(({w}, u) => backward(x, dlogits.map((d, i) => h[i*k + u] > 0 ? d*top.w[u] : 0), w.length)), backward(h, dlogits, k));
  }

  step(grad, lr) { [...this.units, this.top].forEach((line, i) => sgdStep(line, [...grad.units, grad.top][i], lr)); }
}

export function initMlp(seed, hidden = 30, n = 784) {  // weights as He et al. (2015) draw them, biases zero
  const random = new Random(seed), line = n => ({w: new Float64Array(n).map(() => sqrt(2/n)*random.normal()), b: 0});
  return new Mlp(Array.from({length: hidden}, () => line(n)), line(hidden));
}

// ---- the network that ships (10_nets), each normalisation folded into its filters

export function readNetwork(numbers) {  // as tools/build_widgets.py writes them
  let at = 0;
  const take = n => numbers.subarray(at, at += n);
  const byInput = (c, n) => flip({w: c, h: n, v: take(c*n)}).v;
  const layer = (c, n) => ({n, w: byInput(c, n), b: take(n)});
  const filter = ([c, n, size]) => ({size, ...layer(c*size*size, n)});
  const filters = [[1, 16, 5], [16, 32, 3], [32, 64, 3]].map(filter);
  return {filters, lines: [layer(576, 64), layer(64, 10)]};
}

function patches(x, side, size) {  // what each place sees, a row each; outside is 0
  const out = new Float64Array(x.length*size*size), picture = {w: side, h: side};
  const area = side*side, reach = (size - 1)/2;
  let to = 0;
  for (let row = -reach; row < side - reach; row++)
    for (let col = -reach; col < side - reach; col++)
      for (let from = 0; from < x.length; from += area)
        for (let i = row; i < row + size; i++)
          for (let j = col; j < col + size; j++, to++)
            if (inside(picture, j, i)) out[to] = x[from + i*side + j];
  return out;
}

function weigh({n, w, b}, x) {  // n sums for each row of x; what is 0 adds nothing
  const c = w.length/n, z = new Float64Array(x.length/c*n);
  for (let to = 0, i = 0; to < z.length; to += n) {
    z.set(b, to);
    for (let from = 0; from < w.length; from += n, i++) {
      const v = x[i];
      if (v) for (let k = 0; k < n; k++) z[to + k] += v*w[from + k];
    }
  }
  return z;
}

function pool(z, side) {  // cut off below zero, then the largest of each two by two
  const n = z.length/side/side, half = floor(side/2);
  const out = new Float64Array(n*half*half);
  let to = 0;
  for (let k = 0; k < n; k++)
    for (let row = 0; row < half; row++)
      for (let col = 0; col < half; col++) {
        const at = (2*row*side + 2*col)*n + k, below = at + side*n;
        out[to++] = max(0, z[at], z[at + n], z[below], z[below + n]);
      }
  return out;
}

export function tenLogits({filters, lines: [hidden, top]}, pixels) {  // of the digits
  let x = pixels, side = 28;
  for (const filter of filters) {
    x = pool(weigh(filter, patches(x, side, filter.size)), side);
    side = floor(side/2);
  }
  return [...weigh(top, weigh(hidden, x).map(v => max(0, v)))];
}

const logSum = z => log(sum(z.map(v => exp(v - max(...z))))) + max(...z);

export const scopeLogit = z => logSum([z[3], z[7]]) - logSum(z.filter((_, digit) => digit !== 3 && digit !== 7));

export const softmax = z => z.map(v => exp(v - logSum(z)));

// ---- a parabola through measurements (02_sgd)

export const predictSpeed = (t, [a, b, c]) => t.map(ti => a*ti*ti + b*ti + c);

export const mse = (t, y, params) => sum(predictSpeed(t, params).map((s, i) => (s - y[i])**2))/t.length;

export function gradient(t, y, params) {
  const r = predictSpeed(t, params).map((s, i) => s - y[i]);
  return [2, 1, 0].map(k => 2*sum(r.map((ri, i) => ri*t[i]**k))/t.length);
}

export function roll(t, y, [a, b, c], lr) {  // a step of a and c alone
  const [da, , dc] = gradient(t, y, [a, b, c]);
  return [a - lr*da, b, c - lr*dc];
}

// ---- drawing: strokes to ink

export function addSegment(ink, size, [x0, y0], [x1, y1], radius) {  // of a stroke, its edge smooth over a pixel
  const low = (a, b) => max(0, floor(min(a, b) - radius - 1)), high = (a, b) => min(size - 1, ceil(max(a, b) + radius + 1));
  const dx = x1 - x0, dy = y1 - y0, length = dx*dx + dy*dy;
  for (let y = low(y0, y1); y <= high(y0, y1); y++) for (let x = low(x0, x1); x <= high(x0, x1); x++) {
    const along = length && clamp(((x - x0)*dx + (y - y0)*dy)/length), distance = hypot(x - x0 - along*dx, y - y0 - along*dy);
    ink[y*size + x] = max(ink[y*size + x], round(255*clamp(radius + .5 - distance))/255);  // rounded as a byte is
  }
}

export function drawStrokes(strokes, size, radius) {  // lists of points [x, y]
  const ink = new Float32Array(size*size);
  for (const stroke of strokes) stroke.forEach((point, i) => addSegment(ink, size, stroke[max(0, i - 1)], point, radius));
  return ink;
}

// ---- from a drawing to what MNIST's makers would have made of it (22_prepare)
//
// A picture is {w, h, v}: width, height, values. A drawing is always dark ink on white paper.

const SIZE = 28, BOX = 20, FINE = 160;

const NO_INK = 'There is no ink yet. Draw a digit, large enough to be seen.';

function make(w, h, value) {
  const v = new Float64Array(w*h);
  for (let y = 0, i = 0; y < h; y++) for (let x = 0; x < w; x++, i++) v[i] = value(x, y, i);
  return {w, h, v};
}

const map = (a, f) => ({w: a.w, h: a.h, v: a.v.map(f)});

const cut = (a, {x, y, w, h}) => make(w, h, (i, j) => a.v[(y + j)*a.w + x + i]);

const inside = (a, x, y) => x >= 0 && y >= 0 && x < a.w && y < a.h;

const onto = (a, w, h, col, row) => make(w, h, (x, y) => inside(a, x - col, y - row) ? a.v[(y - row)*a.w + x - col] : 0);

const padded = (a, n) => onto(a, a.w + 2*n, a.h + 2*n, n, n);

function flip({w, h, v}) {
  const flipped = new Float64Array(w*h);
  for (let y = 0, i = 0; y < h; y++) for (let x = 0; x < w; x++, i++) flipped[x*h + y] = v[i];
  return {w: h, h: w, v: flipped};
}

const bothWays = (a, f) => flip(f(flip(f(a))));

const largest = values => values.reduce((a, b) => max(a, b));

const halfEven = v => abs(v % 1) === .5 ? 2*round(v/2) : round(v);  // as Python rounds

function percentile(values, share) {  // as NumPy does
  const sorted = Float64Array.from(values).sort(), at = share*(sorted.length - 1), i = floor(at);
  return sorted[i] + (sorted[min(i + 1, sorted.length - 1)] - sorted[i])*(at - i);
}

const FILTERS = {  // Pillow's, and how far each reaches
  box: [.5, d => d > -.5 && d <= .5 ? 1 : 0],
  bicubic: [2, d => (d = abs(d)) < 1 ? (1.5*d - 2.5)*d*d + 1 : d < 2 ? ((-.5*d + 2.5)*d - 4)*d + 2 : 0],
};

function weighRows(a, taps) {  // taps[x] is [[which, …], [weight, …]]
  const w = taps.length, n = max(...taps.map(([from]) => from.length)), v = new Float64Array(w*a.h), columns = new Int32Array(w*n), weights = new Float64Array(w*n);
  taps.forEach(([from, share], x) => { columns.set(from, x*n); weights.set(share, x*n); });
  for (let y = 0, i = 0; y < a.h; y++) for (let x = 0; x < w; x++, i++) {
    for (let k = x*n; k < x*n + n; k++) v[i] += weights[k]*a.v[y*a.w + columns[k]];
  }
  return {w, h: a.h, v};
}

function resizeRows(a, w, [reach, filter]) {
  const scale = a.w/w, stretch = max(1, scale);
  return weighRows(a, Array.from({length: w}, (_, i) => {
    const centre = (i + .5)*scale, first = max(0, floor(centre - reach*stretch + .5)), end = min(a.w, floor(centre + reach*stretch + .5));
    const from = Array.from({length: end - first}, (_, k) => first + k), weights = from.map(k => filter((k - centre + .5)/stretch));
    return [from, weights.map(t => t/sum(weights))];
  }));
}

function scaleTo(a, side) {  // its longer side
  const scale = side/max(a.w, a.h), size = n => max(1, halfEven(n*scale)), filter = FILTERS[scale < 1 ? 'box' : 'bicubic'];
  return flip(resizeRows(flip(resizeRows(a, size(a.w), filter)), size(a.h), filter));
}

function correlateRows(a, kernel) {  // beyond the edge is a mirror
  const mirror = i => i < 0 ? -1 - i : i >= a.w ? 2*a.w - 1 - i : i;
  return weighRows(a, Array.from({length: a.w}, (_, i) => [kernel.map((_, k) => mirror(i + k - (kernel.length - 1)/2)), kernel]));
}

const BELL = [-3, -2, -1, 0, 1, 2, 3].map(d => exp(-d*d/2/.7**2)), GAUSS = BELL.map(t => t/sum(BELL));

function largestRows(a, window, before) {  // in a window, by doubling
  const row = new Float64Array(a.w + window), out = map(a, () => 0);
  for (let y = 0; y < a.h; y++) {
    for (let i = 0; i < row.length; i++) row[i] = a.v[y*a.w + clamp(i - before, 0, a.w - 1)];
    let m = 1;
    for (; 2*m <= window; m *= 2) for (let i = 0; i + m < row.length; i++) if (row[i + m] > row[i]) row[i] = row[i + m];
    for (let x = 0; x < a.w; x++) out.v[y*a.w + x] = max(row[x], row[x + window - m]);
  }
  return out;
}

function paperOf(grey, window) {  // without the ink: a closing, continued to the edges
  const lightest = bothWays(grey, a => largestRows(a, window, floor((window - 1)/2))), negative = a => map(a, v => -v);
  const paper = negative(bothWays(negative(lightest), a => largestRows(a, window, floor(window/2))));
  const edge = min(floor(window/2), floor((min(grey.w, grey.h) - 2)/3));
  if (edge < 1) return paper;
  const continued = bothWays(paper, a => make(a.w, a.h, (x, y) => {
    const at = i => a.v[y*a.w + i], low = edge, high = a.w - 1 - edge;
    return x < low ? 2*at(low) - at(2*low - x) : x > high ? 2*at(high) - at(2*high - x) : at(x);
  }));
  return map(paper, (p, i) => clamp(continued.v[i], .6*p, p));
}

function inkOn(grey, window) {
  const paper = paperOf(grey, window);
  return map(grey, (g, i) => (paper.v[i] - g)/(paper.v[i] + .08));
}

function distances(mask) {  // to the nearest that is not marked
  const {w, h} = mask, down = map(mask, () => 0), far = w + h;
  for (let x = 0; x < w; x++) {
    for (let y = 0, d = far; y < h; y++) down.v[y*w + x] = d = mask.v[y*w + x] ? d + 1 : 0;
    for (let y = h - 1, d = far; y >= 0; y--) down.v[y*w + x] = min(down.v[y*w + x], d = mask.v[y*w + x] ? d + 1 : 0);
  }
  return make(w, h, (x, y, i) => {
    let best = down.v[i]**2;
    for (let d = 1; d*d < best; d++) for (const at of [x - d, x + d]) if (at >= 0 && at < w) best = min(best, d*d + down.v[y*w + at]**2);
    return sqrt(best);
  });
}

function boxOf(a, marked = v => v > 0) {
  let [x0, y0, x1, y1] = [a.w, a.h, -1, -1];
  a.v.forEach((v, i) => {
    if (marked(v)) [x0, y0, x1, y1] = [min(x0, i % a.w), min(y0, floor(i/a.w)), max(x1, i % a.w), max(y1, floor(i/a.w))];
  });
  return {x: x0, y: y0, w: x1 - x0 + 1, h: y1 - y0 + 1};
}

function inkBox(ink, share) {
  const most = largest(ink.v);
  return boxOf(ink, v => v > share*most);
}

function label(mask) {  // numbers the connected parts
  const labels = map(mask, () => 0), {w, v} = labels;
  let n = 0;
  mask.v.forEach((marked, start) => {
    if (!marked || v[start]) return;
    v[start] = ++n;
    for (const todo = [start]; todo.length;) {
      const i = todo.pop();
      for (const j of [i - w, i - 1, i + 1, i + w]) if (mask.v[j] && !v[j]) { v[j] = n; todo.push(j); }
    }
  });
  return [labels, n];
}

function wipe(grey) {  // what is no part of the digit; returns where that is
  const ink = map(grey, g => (1 - g)/1.08), mask = map(bothWays(ink, a => correlateRows(a, [1/3, 1/3, 1/3])), v => +(v > .04)), [labels, n] = label(mask);
  if (!n) throw Error(NO_INK);
  const parts = Array.from({length: n}, (_, k) => ({...boxOf(labels, v => v === k + 1), ink: sum(ink.v.filter((_, i) => labels.v[i] === k + 1))}));
  const main = parts.reduce((a, b) => b.ink > a.ink ? b : a), size = max(main.w, main.h), gap = (a, at, n) => max(a[at] - main[at] - main[n], main[at] - a[at] - a[n]);
  const belongs = a => a === main || a.ink > .04*main.ink && max(a.w, a.h) > .12*size && gap(a, 'y', 'h') < .25*size && gap(a, 'x', 'w') < .1*size;
  labels.v.forEach((k, i) => { if (k && !belongs(parts[k - 1])) { mask.v[i] = 0; grey.v[i] = 1; } });
  return mask;
}

function around(mask) {  // with a margin of a fifth
  const {x, y, w, h} = boxOf(mask), extra = floor(.2*max(w - 1, h - 1)) + 2, x0 = max(0, x - extra), y0 = max(0, y - extra);
  return {x: x0, y: y0, w: min(mask.w, x + w + extra) - x0, h: min(mask.h, y + h + extra) - y0};
}

function trace(grey, mask, box) {
  const fine = scaleTo(cut(grey, box), FINE), ink = inkOn(fine, clamp(floor(max(mask.w, mask.h)*fine.h/(4*box.h)), 3, FINE/2)), middle = percentile(ink.v, .5);
  const smooth = map(bothWays(map(ink, v => v - middle), a => correlateRows(a, GAUSS)), v => max(0, v)), most = largest(smooth.v);
  if (most < .02) throw Error(NO_INK);
  const full = percentile(smooth.v.filter(v => v > .5*most), .5);
  return map(smooth, v => clamp((v/full - .25)/.55));
}

function asPen(ink) {  // draws it again if the pen was too thin or too thick
  const side = max(ink.w, ink.h), inner = distances(map(padded(ink, 1), v => +(v > .5))).v.filter(d => d > 0);
  const width = inner.length ? 4*sum(inner)/inner.length - 2 : 0, grow = (clamp(width, .08*side, .21*side) - width)/2;
  if (abs(grow) < .5) return ink;
  const mask = map(padded(ink, floor(abs(grow)) + 2), v => +(v > .5)), out = distances(map(mask, v => 1 - v)), deep = distances(mask);
  return map(mask, (m, i) => clamp(grow + .5 - (out.v[i] - deep.v[i] + (m ? .5 : -.5))));
}

function fitBox(ink) {  // a fifth of the stroke at full strength
  const fitted = map(scaleTo(ink, BOX), v => clamp(v)), most = largest(fitted.v), full = percentile(fitted.v.filter(v => v > .3*most), .8);
  return map(fitted, v => min(1, v/full));
}

function corner(ink) {  // of the 28x28 in which the centre of mass is in the middle
  const moment = along => sum(ink.v.map((v, i) => v*along(i)))/sum(ink.v);
  const place = (centre, n) => clamp(halfEven(SIZE/2 - centre), 0, SIZE - n);
  return [place(moment(i => i % ink.w), ink.w), place(moment(i => floor(i/ink.w)), ink.h)];
}

export function toMnist(pixels, width, height) {  // the 28x28, and the square of the drawing that it shows
  const grey = {w: width, h: height, v: Float64Array.from(pixels)}, mask = wipe(grey), box = around(mask);
  const traced = trace(grey, mask, box), first = inkBox(traced, .3), drawn = asPen(cut(traced, first)), second = inkBox(drawn, .2), fitted = fitBox(cut(drawn, second)), [col, row] = corner(fitted);
  const zoom = FINE/max(box.w, box.h), unit = max(second.w, second.h)/BOX, border = (drawn.w - first.w)/2;
  const start = (at, offset) => box[at] + (first[at] - border + second[at] - offset*unit)/zoom;
  return {pixels: onto(fitted, SIZE, SIZE, col, row).v, place: {x: start('x', col), y: start('y', row), side: SIZE*unit/zoom}};
}
